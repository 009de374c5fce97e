import { closeSync, constants, createReadStream, open, openSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { type Duplex, pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import pMap from 'p-map';
import { ioError, messageOf, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { isGzip, isTelling, isZstd, refusePacked } from './packed.ts';
import { BrokenFrames, framesOf } from './zstd.ts';

export { isTelling } from './packed.ts';

const CHUNK = 64 * 1024;

/** What a file is called in messages. */
export function sourceName(path: string): string {
  return path === '-' ? 'stdin' : path;
}

/**
 * Makes sure that all files can be read before the first one is: a misspelt name should not show after an hour.
 * @throws {TaskpipeError} `IO`, naming the first that can't
 */
export async function checkSources(paths: readonly string[]): Promise<void> {
  const files = paths.filter((path) => path !== '-');
  await pMap(
    files,
    (path) =>
      access(path, constants.R_OK).catch((error) => {
        throw ioError('cannot read', path, error);
      }),
    { concurrency: 16 },
  );
}

/** The size of all files together, in bytes as they are on the disk; undefined if one is not a file, or was removed. */
export async function sizeOf(paths: readonly string[]): Promise<number | undefined> {
  const files = await pMap(paths, (path) => stat(path).catch(() => undefined), { concurrency: 16 });
  const sizes = files.map((file) => (file?.isFile() ? file.size : Number.NaN));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  return Number.isNaN(size) ? undefined : size;
}

/**
 * The bytes of a file or of the standard input (`-`), unpacked if they begin as gzip or zstd data does.
 * @param onRead is told how many bytes were read of a file
 * @param signal gives a named pipe up, whose writer may never come, or never write
 * @throws {TaskpipeError} `IO` if it cannot be read, `DATA` if the packed data is broken, or of another kind
 */
export async function* openSource(
  path: string,
  stdin: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<Buffer> {
  // Unpacking reads ahead: a pipe whose writer says nothing would otherwise keep a process alive that is done.
  const end = new AbortController();
  const until = AbortSignal.any([signal, end.signal]);
  const bytes = path === '-' ? stdin() : fileBytes(path, onRead, until);
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

/** A format of packed data, and the stream that unpacks it. */
interface Unpacker {
  readonly name: 'gzip' | 'zstd';
  readonly stream: () => Duplex;
}

/** From Node 22.15 on. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: object) => Duplex };

function unpackerOf(first: Buffer): Unpacker | undefined {
  if (isGzip(first)) return { name: 'gzip', stream: () => zlib.createGunzip({ chunkSize: CHUNK }) };
  if (!isZstd(first) || createZstdDecompress === undefined) return undefined;
  return { name: 'zstd', stream: () => createZstdDecompress({ chunkSize: CHUNK }) };
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

/** Opens a named pipe, which waits for a writer. Node can give up neither that nor a read, where it takes it for a file. */
async function openPipe(path: string, signal: AbortSignal): Promise<Socket> {
  const wake = (): void => {
    try {
      closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)); // a writer, for a moment
    } catch {} // no caller waits for it
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
    if (name === 'gzip') yield* through(stream(), bytes);
    else for await (const frame of framesOf(bytes)) yield* through(stream(), frame);
  } catch (error) {
    if (!(error instanceof BrokenFrames) && !/^(?:Z_|ZSTD_)/.test(systemCode(error) ?? '')) throw error;
    throw new TaskpipeError('DATA', `${sourceName(path)}: ${brokenWords(error, name, path)}`, {
      cause: error,
    });
  }
}

function through(stream: Duplex, bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  pipeline(Readable.from(bytes, { objectMode: false }), stream, () => {}); // its error comes out of the loop
  return stream as AsyncIterable<Buffer>;
}

function brokenWords(error: unknown, name: Unpacker['name'], path: string): string {
  const what = messageOf(error);
  if (what === 'unexpected end of file')
    return `the ${name} data is cut short; what came before was loaded, so copy the file again and repeat the command`;
  if (what === 'incorrect header check')
    return `something else follows the ${name} data; leave it out with: ${name} -dc ${path === '-' ? 'FILE' : path} 2>/dev/null | task-load --format FORMAT`;
  return `the ${name} data is broken: ${what}`;
}

/**
 * Lets the beginning of a stream be looked at, which may come in small pieces.
 * @param isEnough whether what has come can be looked at
 * @returns what has come (empty where the stream is), and the whole stream
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
