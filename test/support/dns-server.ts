import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

/** Answer to a question: addresses, an error of DNS, or no answer. */
export type DnsAnswer = readonly string[] | 'NXDOMAIN' | 'SERVFAIL' | 'silence';

/** Local DNS server that ends with the test. */
export interface DnsServer {
  /** Address as for `--resolver`: `127.0.0.1:5353`. */
  readonly address: string;
  /** Names and types of the questions in order, such as `h.test A`. */
  readonly asked: readonly string[];
}

const CODES = { NXDOMAIN: 3, SERVFAIL: 2 };

/**
 * Serves DNS over UDP on a free port.
 * @param answer receives the name and `A` or `AAAA`
 */
export async function serveDns(
  answer: (name: string, type: 'A' | 'AAAA') => DnsAnswer,
  { delay = 0, ttl = 60 } = {},
): Promise<DnsServer> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const labels: string[] = [];
    let end = 12;
    for (let length = query[end] as number; length > 0; length = query[end] as number) {
      labels.push(query.toString('latin1', end + 1, end + 1 + length));
      end += length + 1;
    }
    const type = query.readUInt16BE(end + 1) === 28 ? 'AAAA' : 'A';
    const name = labels.join('.');
    asked.push(`${name} ${type}`);
    const given = answer(name, type);
    if (given === 'silence') return;
    const records = typeof given === 'string' ? [] : given.map((one) => record(one, type, ttl));
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180 | (typeof given === 'string' ? CODES[given] : 0), 2);
    for (const [place, count] of [1, records.length, 0, 0].entries())
      head.writeUInt16BE(count, 4 + place * 2);
    const reply = Buffer.concat([head, query.subarray(12, end + 5), ...records]);
    setTimeout(() => socket.send(reply, port, address, () => {}), delay);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  let isOpen = true;
  onTestFinished(() => {
    if (isOpen) socket.close();
    isOpen = false;
  });
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

function record(address: string, type: 'A' | 'AAAA', ttl: number): Buffer {
  const bytes =
    type === 'A' ? address.split('.').map(Number) : Array.from({ length: 16 }, (_, i) => (i < 15 ? 0 : 1));
  const head = Buffer.from([0xc0, 12, 0, type === 'A' ? 1 : 28, 0, 1, 0, 0, 0, 0, 0, bytes.length]);
  head.writeUInt32BE(ttl, 6);
  return Buffer.concat([head, Buffer.from(bytes)]);
}
