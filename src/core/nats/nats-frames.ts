import { Buffer } from 'node:buffer';
import type { NatsHeaders } from './contract.ts';

/** Message to send. */
export interface Letter {
  readonly subject: string;
  readonly payload: string | Uint8Array;
  readonly headers: NatsHeaders | undefined;
  readonly reply: string | undefined;
}

/**
 * Returns messages as the bytes of the protocol, so that a burst of them is encoded and written once: the client encodes
 * each in four parts, which takes three times as long.
 * @param refuse called for each message that the server would not take, and would close the connection for
 */
export function framesOf(
  letters: readonly Letter[],
  maxPayload: number,
  refuse: (letter: Letter, reason: string) => void,
): Buffer {
  const parts: Uint8Array[] = [];
  let text = '';
  let before: NatsHeaders | undefined;
  let [head, headSize] = ['', 0];
  for (const letter of letters) {
    const { subject, payload, headers, reply = '' } = letter;
    if (headers !== before) {
      before = headers; // messages of a batch share them
      head = headers === undefined ? '' : headerText(headers);
      headSize = Buffer.byteLength(head);
    }
    const size = headSize + (typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length);
    if (size > maxPayload) refuse(letter, 'max_payload size exceeded');
    else if (/\s/.test(subject) || subject === '' || /\s/.test(reply))
      refuse(letter, 'InvalidArgument: subject');
    else {
      text +=
        head === ''
          ? `PUB ${subject} ${reply} ${size}\r\n`
          : `HPUB ${subject} ${reply} ${headSize} ${size}\r\n`;
      if (typeof payload === 'string') text += `${head}${payload}\r\n`;
      else {
        parts.push(Buffer.from(text + head), payload);
        text = '\r\n';
      }
    }
  }
  const rest = Buffer.from(text);
  return parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
}

function headerText(headers: NatsHeaders): string {
  let text = 'NATS/1.0\r\n';
  for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
  return `${text}\r\n`;
}
