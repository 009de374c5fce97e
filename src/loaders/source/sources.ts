import { closeSync, constants, createReadStream, open, openSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { type Duplex, pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import pMap from 'p-map';
import { quote } from 'shlex';
import { ioError, messageOf, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { isPostgres, postgresAddress } from '../../core/postgres/postgres-address.ts';
import type { S3Settings } from '../../core/s3/contract.ts';
import { isS3 } from '../../core/s3/s3-address.ts';
import { isGzip, isTelling, isZstd, refusePacked } from './packed.ts';
import { mustBeThere, objectBytes } from './s3-source.ts';
import { BrokenFrames, framesOf } from './zstd.ts';

export { isTelling } from './packed.ts';

const CHUNK = 64 * 1024;

/** Returns the name of a file in messages; of a url, without user and password. */
export function sourceName(path: string): string {
  if (isPostgres(path)) return postgresAddress(path).place;
  return path === '-' ? 'stdin' : path;
}

/**
 * Checks that all files can be read before the first one is read: a misspelt name must not be found only after an
 * hour.
 * @param server patience with an unavailable server
 * @throws {TaskpipeError} `IO`, naming a file that cannot be read
 */
export async function checkSources(paths: readonly string[], server: S3Settings = {}): Promise<void> {
  const files = paths.filter((path) => path !== '-' && !isPostgres(path));
  if (files.length === 1 && isS3(files[0])) return; // it is read at once
  await pMap(
    files,
    (path) =>
      isS3(path)
        ? mustBeThere(path, server)
        : access(path, constants.R_OK).catch((error) => {
            throw ioError('cannot read', path, error);
          }),
    { concurrency: 16 },
  );
}

/**
 * Returns the total size of all files on the disk, in bytes; undefined if one is not a file, or was removed.
 */
export async function sizeOf(paths: readonly string[]): Promise<number | undefined> {
  const files = await pMap(paths, (path) => stat(path).catch(() => undefined), { concurrency: 16 });
  const sizes = files.map((file) => (file?.isFile() ? file.size : Number.NaN));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  return Number.isNaN(size) ? undefined : size;
}

/**
 * Reads the bytes of a file, of an object in S3, or of the standard input (`-`). Decompresses them if they begin like gzip or zstd
 * data.
 * @param onRead called with the number of bytes of each chunk of a file, as on the disk
 * @param signal ends the wait for a named pipe whose writer never comes, or never writes
 * @param server patience with an unavailable server
 * @throws {TaskpipeError} `IO` if it cannot be read, `DATA` if the compressed data is broken, or of another
 *   kind
 */
export async function* openSource(
  path: string,
  stdin: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
  server: Pick<S3Settings, 'patience' | 'warn'> = {},
): AsyncGenerator<Buffer> {
  // Decompression reads ahead. Without this, a pipe with an idle writer would keep a finished process alive.
  const end = new AbortController();
  const until = AbortSignal.any([signal, end.signal]);
  const bytes =
    path === '-'
      ? stdin()
      : isS3(path)
        ? objectBytes(path, { ...server, aborting: until })
        : fileBytes(path, onRead, until);
  try {
    const { first, all } = await peek(bytes, isTelling);
    const unpack = unpackerOf(first);
    if (unpack === undefined) {
      refusePacked(first, path);
      yield* all;
      return;
    }
    const inside = await peek(unpacked(all, unpack, path), isTelling);
    refusePacked(inside.first, path);
    yield* inside.all;
  } finally {
    end.abort();
  }
}

/** Format of compressed data, with the stream that decompresses it. */
interface Unpacker {
  readonly name: 'gzip' | 'zstd';
  /** Stream that decompresses it; undefined if this Node has none. */
  readonly stream: (() => Duplex) | undefined;
}

/** Decompressor of zstd; undefined before Node 22.15. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Duplex };

function unpackerOf(first: Buffer): Unpacker | undefined {
  if (isGzip(first)) return { name: 'gzip', stream: () => zlib.createGunzip({ chunkSize: CHUNK }) };
  if (!isZstd(first)) return undefined;
  const stream = createZstdDecompress && (() => createZstdDecompress({ chunkSize: CHUNK }));
  return { name: 'zstd', stream };
}

async function* fileBytes(
  path: string,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  try {
    const isPipe = (await stat(path)).isFIFO();
    const stream = isPipe ? await openPipe(path, signal) : createReadStream(path, { highWaterMark: CHUNK });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      onRead(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw ioError('cannot read', path, error);
  }
}

/**
 * Opens a named pipe, which waits for a writer. Node cannot cancel that open. It cannot cancel a read of a
 * file either, so the pipe is read as a socket.
 */
async function openPipe(path: string, signal: AbortSignal): Promise<Socket> {
  const wake = (): void => {
    try {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)); // a short-lived writer
    } catch {} // the load does not wait any longer
  };
  if (signal.aborted) throw signal.reason;
  signal.addEventListener('abort', wake);
  const fd = await promisify(open)(path, 'r');
  signal.removeEventListener('abort', wake);
  const pipe = new Socket({ fd, readable: true, writable: false });
  if (signal.aborted) pipe.destroy();
  signal.addEventListener('abort', () => pipe.destroy(), { once: true });
  return pipe;
}

async function* unpacked(
  bytes: AsyncIterable<Buffer>,
  { name, stream }: Unpacker,
  path: string,
): AsyncGenerator<Buffer> {
  try {
    if (name === 'gzip' && stream !== undefined) yield* through(stream(), bytes);
    else
      for await (const frame of framesOf(bytes))
        yield* stream ? through(stream(), frame) : unpackedFrame(frame);
  } catch (error) {
    if (!(error instanceof BrokenFrames) && !/^(?:Z_|ZSTD_)/.test(systemCode(error) ?? '')) throw error;
    throw new TaskpipeError('DATA', `${sourceName(path)}: ${brokenWords(error, name, path)}`, {
      cause: error,
    });
  }
}

/** Decompresses a frame of zstd without Node. */
async function* unpackedFrame(frame: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { unpackFrame } = await import('./zstd-blocks.ts'); // loads its libraries only if they are needed
  yield* unpackFrame(frame);
}

function through(stream: Duplex, bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  pipeline(Readable.from(bytes, { objectMode: false }), stream, () => {}); // the loop below throws its error
  return stream as AsyncIterable<Buffer>;
}

function brokenWords(error: unknown, name: Unpacker['name'], path: string): string {
  const what = messageOf(error);
  if (what === 'unexpected end of file')
    return `the ${name} data is cut short; the part before that was loaded, so copy the file again and repeat the command`;
  if (what === 'incorrect header check')
    return `something else follows the ${name} data; leave it out with: ${name} -dc ${path === '-' ? 'FILE' : quote(path)} 2>/dev/null | task-load --format FORMAT`;
  return `the ${name} data is broken: ${what}`;
}

/**
 * Reads the beginning of a stream, which may arrive in small pieces.
 * @param isEnough returns true if the bytes so far are enough
 * @returns the bytes so far (empty for an empty stream), and the whole stream
 */
export async function peek(
  bytes: AsyncIterable<Buffer>,
  isEnough: (first: Buffer) => boolean,
): Promise<{ first: Buffer; all: AsyncIterable<Buffer> }> {
  const iterator = bytes[Symbol.asyncIterator]();
  let first: Buffer = Buffer.alloc(0);
  do {
    const next = await iterator.next();
    if (next.done) break;
    first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
  } while (!isEnough(first));
  return { first, all: chain(first, iterator) };
}

async function* chain(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (first.length > 0) yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
