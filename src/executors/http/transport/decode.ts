import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { systemCode } from '../../../core/base/errors.ts';
import type { Answer, AnswerHeaders } from './answer.ts';
import type { HttpFault } from './http-failure.ts';

interface Coding {
  sync(bytes: Buffer, options: zlib.ZlibOptions): Buffer;
  async(bytes: Buffer, options: zlib.ZlibOptions): Promise<Buffer>;
}

type Callback = (error: Error | null, result: Buffer) => void;

/** Functions of later versions of Node, which are missing in the types of Node 20. */
interface Zstd {
  createZstdDecompress?: () => Transform;
  zstdDecompressSync?: (bytes: Buffer, options: zlib.ZlibOptions) => Buffer;
  zstdDecompress?: (bytes: Buffer, options: zlib.ZlibOptions, done: Callback) => void;
}

const gzip: Coding = { sync: zlib.gunzipSync, async: promisify(zlib.gunzip) as Coding['async'] };
const inflate: Coding = { sync: zlib.inflateSync, async: promisify(zlib.inflate) as Coding['async'] };
const inflateRaw: Coding = {
  sync: zlib.inflateRawSync,
  async: promisify(zlib.inflateRaw) as Coding['async'],
};
const brotli: Coding = {
  sync: zlib.brotliDecompressSync,
  async: promisify(zlib.brotliDecompress) as Coding['async'],
};
const { zstdDecompressSync, zstdDecompress } = zlib as Zstd;
const zstd: Coding | undefined =
  zstdDecompressSync === undefined || zstdDecompress === undefined
    ? undefined
    : { sync: zstdDecompressSync, async: promisify(zstdDecompress) };

/** Value of `Accept-Encoding`. */
export const ACCEPT_ENCODING: string = `gzip, deflate, br${zstd === undefined ? '' : ', zstd'}`;

/** Maximum number of codings of one body; servers do not use more. */
const MAX_CODINGS = 3;

/** Size in bytes from which a body is decoded on another thread. */
const MAX_SYNC = 65_536;

/** Returns whether a body must be decompressed. */
export function isCoded(headers: AnswerHeaders): boolean {
  const transfer = headers['transfer-encoding'];
  return headers['content-encoding'] !== undefined || (transfer !== undefined && transfer !== 'chunked');
}

/**
 * Returns a response with its body decompressed: codings of the transfer first, then those of the content. The parser
 * has removed the chunks.
 * @param maxBody longest decompressed body in bytes; no more memory is used
 */
export function decoded(
  answer: Answer,
  maxBody: number,
  host: string,
): Answer | Promise<Answer | HttpFault> | HttpFault {
  if (answer.body.length === 0) return answer;
  const codings = codingsIn(answer.headers);
  if (codings.length === 0) return answer;
  if (codings.length > MAX_CODINGS) return unknown(codings.reverse().join(', '), host);
  return unpack(answer, codings, maxBody, host);
}

/** Returns the codings of a body, in the order in which they are undone. */
export function codingsIn(headers: AnswerHeaders): string[] {
  const { 'content-encoding': content, 'transfer-encoding': transfer } = headers;
  return [...codingsOf(content), ...codingsOf(transfer)].reverse();
}

/** Returns a stream that undoes a coding; undefined if it is unknown. @param first bytes of the body */
export function decoderOf(name: string, first: Buffer): Transform | undefined {
  const coding = codingOf(name, first);
  if (coding === gzip) return zlib.createGunzip();
  if (coding === brotli) return zlib.createBrotliDecompress();
  if (coding === inflate) return zlib.createInflate();
  if (coding === inflateRaw) return zlib.createInflateRaw();
  return coding === undefined ? undefined : (zlib as Zstd).createZstdDecompress?.();
}

/**
 * Codings to ignore: those that change nothing, those that the parser has removed, and wrong names that servers send
 * by mistake. Browsers ignore them too.
 */
const DONE: ReadonlySet<string> = new Set([
  ...['', 'identity', 'chunked', 'none', 'null', 'utf-8', 'utf8', 'iso-8859-1', 'us-ascii'],
  ...['binary', '8bit', '7bit'],
]);

function codingsOf(header: string | string[] | undefined): string[] {
  return String(header ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => !DONE.has(name));
}

async function unpack(
  answer: Answer,
  codings: readonly string[],
  maxBody: number,
  host: string,
): Promise<Answer | HttpFault> {
  const options = { maxOutputLength: maxBody };
  let { body } = answer;
  for (const name of codings) {
    const coding = codingOf(name, body);
    if (coding === undefined) return unknown(name, host);
    try {
      body = body.length > MAX_SYNC ? await coding.async(body, options) : coding.sync(body, options);
    } catch (error) {
      return decodeFault(error, name, maxBody, host);
    }
  }
  return { ...answer, body };
}

function codingOf(name: string, body: Buffer): Coding | undefined {
  if (name === 'gzip' || name === 'x-gzip') return gzip;
  if (name === 'br') return brotli;
  if (name === 'zstd') return zstd;
  if (name !== 'deflate') return undefined;
  // deflate should have a zlib header (RFC 1950); some servers omit it.
  const [first = 0, second = 0] = body;
  return (first & 15) === 8 && ((first << 8) | second) % 31 === 0 ? inflate : inflateRaw;
}

function decodeFault(error: unknown, name: string, maxBody: number, host: string): HttpFault {
  if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') {
    const message = `the body from ${host} decompresses to more than ${maxBody} bytes (--max-body)`;
    return { code: 'BODY_TOO_LARGE', message, again: 'never' };
  }
  const message = `the body from ${host} is not valid ${name}: ${(error as Error).message}`;
  return { code: 'DECODE', message, again: 'idempotent' };
}

function unknown(name: string, host: string): HttpFault {
  const message = `the body from ${host} has the encoding ${JSON.stringify(name)}, which was not requested`;
  return { code: 'DECODE', message, again: 'never' };
}
