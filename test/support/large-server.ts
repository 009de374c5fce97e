/* A server of large files, which are generated while they are sent. Counts the bytes that it sends. */
import { createHash, type Hash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type Seen, serve, type TestServer } from './http-server.ts';

export const MB = 1_048_576;

/** A file that is not stored: each of its kilobytes differs from all others. */
export class LargeFile {
  readonly size: number;
  readonly #seed: number;

  constructor(size: number, seed = 1) {
    this.size = size;
    this.#seed = seed;
  }

  /** Bytes from `start` to before `end`. */
  slice(start: number, end: number): Buffer {
    const first = start - (start % 1024);
    const last = Math.min(end, this.size);
    const bytes = Buffer.alloc(Math.ceil((last - first) / 1024) * 1024, `taskpipe ${this.#seed}`.padEnd(16));
    for (let at = 0; at < bytes.length; at += 1024) bytes.writeDoubleLE((first + at) * this.#seed, at);
    return bytes.subarray(start - first, last - first);
  }

  get sha256(): string {
    const hash: Hash = createHash('sha256');
    for (let at = 0; at < this.size; at += MB) hash.update(this.slice(at, at + MB));
    return hash.digest('hex');
  }
}

/** A request that the server answers. */
export interface Serving {
  readonly response: ServerResponse;
  readonly seen: Seen;
  /** Number of the request, from 1. */
  readonly count: number;
  /** First byte that `Range` asks for; undefined without `Range`. */
  readonly start: number | undefined;
  /** Sends bytes of the file, to before `end`, and returns when they are on their way. */
  send(from: number, end: number): Promise<void>;
}

export interface LargeServer extends TestServer {
  /** Number of bytes of bodies that were sent. */
  readonly sent: number;
}

export const ETAG = '"one"';

/** Serves a file; by default correctly, with ranges. */
export async function serveLarge(
  file: LargeFile,
  answer: (serving: Serving) => unknown = (serving) => sendWell(file, serving),
): Promise<LargeServer> {
  let sent = 0;
  let count = 0;
  const server = await serve(async (response, seen) => {
    const [, start] = /^bytes=(\d+)-$/.exec(seen.headers.range ?? '') ?? [];
    response.setMaxListeners(0);
    const send = async (from: number, end: number): Promise<void> => {
      for (let at = from; at < end && !response.destroyed; at += MB) {
        const bytes = file.slice(at, Math.min(end, at + MB));
        sent += bytes.length;
        if (!response.write(bytes))
          await new Promise<unknown>((go) => response.once('drain', go).once('close', go));
      }
    };
    await answer({
      response,
      seen,
      count: ++count,
      start: start === undefined ? undefined : Number(start),
      send,
    });
  });
  return {
    ...server,
    get connections() {
      return server.connections;
    },
    get sent() {
      return sent;
    },
  };
}

/** Sends the head of a good answer. Returns the first byte that follows. */
export function headOf(
  file: LargeFile,
  { response, seen, start }: Serving,
  headers: Readonly<Record<string, string>> = { etag: ETAG },
): number {
  const { etag = '', 'last-modified': changed = '' } = headers;
  const isSame = [etag, changed].includes(String(seen.headers['if-range'] ?? etag));
  if (start === undefined || !isSame) {
    response.writeHead(200, { 'content-length': file.size, 'content-type': 'application/pdf', ...headers });
    return 0;
  }
  if (start >= file.size) {
    response.writeHead(416, { 'content-range': `bytes */${file.size}` });
    return file.size;
  }
  response.writeHead(206, {
    'content-length': file.size - start,
    'content-range': `bytes ${start}-${file.size - 1}/${file.size}`,
    'content-type': 'application/pdf',
    ...headers,
  });
  return start;
}

async function sendWell(file: LargeFile, serving: Serving): Promise<void> {
  await serving.send(headOf(file, serving), file.size);
  serving.response.end();
}
