import type { Socket } from 'node:net';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/* Bytes that hostile servers send. */

const MEGABYTE = 1024 * 1024;
const GIGABYTE = 1024 * MEGABYTE;

/** Returns the bytes of an answer: a status line, headers with a newline after each, a body. */
export function answer(headers: string, body: string | Buffer = '', status = '200 OK'): Buffer {
  const head = `HTTP/1.1 ${status}\n${headers}\n`.replaceAll('\n', '\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body as string, 'latin1')]);
}

/** Returns an answer with the length of its body. */
export function whole(headers: string, body: string | Buffer, status?: string): Buffer {
  return answer(`${headers}content-length: ${body.length}\n`, body, status);
}

/** Returns 1 GB of zeros in 1 MB: gzip allows several members. */
export function gzipBomb(): Buffer {
  const member = gzipSync(Buffer.alloc(16 * MEGABYTE), { level: 9 });
  return Buffer.concat(Array.from({ length: GIGABYTE / (16 * MEGABYTE) }, () => member));
}

/** Returns 256 MB of zeros in some hundred bytes. */
export function brotliBomb(): Buffer {
  return brotliCompressSync(Buffer.alloc(256 * MEGABYTE), {
    params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 24 },
  });
}

/** Returns 1 GB of zeros in 32 KB: a frame whose blocks each repeat one byte 131,072 times (RFC 8878, 3.1.1). */
export function zstdBomb(): Buffer {
  const count = GIGABYTE / 131_072;
  const blocks = Array.from({ length: count }, (_, i) => {
    const header = (131_072 << 3) | (1 << 1) | (i === count - 1 ? 1 : 0);
    return Buffer.of(header & 255, (header >> 8) & 255, (header >> 16) & 255, 0);
  });
  return Buffer.concat([Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3), ...blocks]);
}

/** Sends forever, as fast as the socket takes it. */
export function flood(socket: Socket, start: string | Buffer, again: string | Buffer): void {
  socket.write(start);
  const more = (): void => {
    while (socket.writable && socket.write(again));
  };
  socket.on('drain', more);
  more();
}

/** Sends forever, a few bytes at a time. */
export function drip(socket: Socket, start: string | Buffer, again: string): void {
  socket.write(start);
  const timer = setInterval(() => socket.writable && socket.write(again), 50);
  socket.on('close', () => clearInterval(timer));
}

/** Sends this, and waits for nothing. */
export function hang(start: string | Buffer): (socket: Socket) => void {
  return (socket) => void socket.write(start);
}

/** Sends this, and resets the connection. */
export function reset(start: string | Buffer): (socket: Socket) => void {
  return (socket) => void socket.write(start, () => setImmediate(() => socket.resetAndDestroy()));
}
