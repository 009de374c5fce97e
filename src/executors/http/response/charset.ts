import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { ContentType } from './content-type.ts';

/** Text of a body, or the charset that its bytes do not fit. */
export type BodyText =
  | {
      readonly text: string;
      /** Charset, if neither the server nor the body names one and the bytes are not UTF-8. */
      readonly guessed?: string;
    }
  | { readonly unfit: string };

const decoders = new Map<string, TextDecoder>();

/** Number of bytes of HTML in which a charset is searched, as in browsers. */
const SNIFFED = 1024;

/** Charset of bytes that are not UTF-8 and have no declared charset, as in browsers. */
const FALLBACK = 'windows-1252';

/**
 * Decodes a body: by its byte order mark, else the charset of its content type, else the charset that HTML or
 * XML declare, else as UTF-8, else as windows-1252. JSON is UTF-8 unless another charset is declared (RFC 8259).
 */
export function decodeText(body: Buffer, type: ContentType): BodyText {
  const mark = markOf(body);
  const said = mark ?? type.charset ?? saidIn(body, type);
  if ((said === undefined || said === 'utf-8') && isAscii(body)) return { text: body.toString('latin1') };
  const decoder = said === undefined ? undefined : decoderOf(said);
  if (decoder !== undefined && decoder.encoding !== 'utf-8') return decode(body, decoder, said as string);
  if (isUtf8(body)) return { text: utf8(body) };
  if (decoder !== undefined || type.media === 'json') return { unfit: 'utf-8' };
  return { ...decode(body, decoderOf(FALLBACK) as TextDecoder, FALLBACK), guessed: FALLBACK };
}

/** Returns the text of a body for a pattern or a reader; bytes that do not fit its charset become U+FFFD. */
export function textOf(body: Buffer, type: ContentType): string {
  const decoded = decodeText(body, type);
  if ('text' in decoded) return decoded.text;
  return new TextDecoder(decoded.unfit).decode(body);
}

function decode(body: Buffer, decoder: TextDecoder, charset: string): BodyText {
  try {
    // Without a stream, Node 20 decodes windows-1252 wrongly from 0x80 to 0x9f.
    return { text: decoder.decode(body, { stream: decoder.encoding === FALLBACK }) };
  } catch {
    return { unfit: charset };
  }
}

function utf8(body: Buffer): string {
  return body.toString('utf8', body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0);
}

function decoderOf(charset: string): TextDecoder | undefined {
  const known = decoders.get(charset);
  if (known !== undefined) return known;
  try {
    const decoder = new TextDecoder(charset, { fatal: true });
    if (decoders.size < 100) decoders.set(charset, decoder);
    return decoder;
  } catch {
    return undefined; // an unknown label is ignored
  }
}

/** Returns the encoding of a byte order mark, which decoding removes. */
function markOf(body: Buffer): string | undefined {
  if (body.length < 2) return undefined;
  const first = body[0] as number;
  const second = body[1] as number;
  if (first === 0xef && second === 0xbb && body[2] === 0xbf) return 'utf-8';
  if (first === 0xfe && second === 0xff) return 'utf-16be';
  return first === 0xff && second === 0xfe ? 'utf-16le' : undefined;
}

function saidIn(body: Buffer, { sniff }: ContentType): string | undefined {
  if (sniff === undefined) return undefined;
  const head = body.toString('latin1', 0, SNIFFED);
  const charset =
    sniff === 'html'
      ? /<meta[^>]+?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(head)?.[1]
      : /^\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']+)/i.exec(head)?.[1];
  // If the declaration is readable as Latin-1, the bytes are not UTF-16 (HTML Standard, 13.2.3.2).
  return charset === undefined || /^utf-?16/i.test(charset) ? undefined : charset.toLowerCase();
}
