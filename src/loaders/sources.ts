import { constants, createReadStream } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import pMap from 'p-map';
import { ioError, messageOf, systemCode, TaskpipeError } from '../core/errors.ts';

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

/** The size of all files together, in bytes as they are on the disk; undefined where one is no file, or has gone. */
export async function sizeOf(paths: readonly string[]): Promise<number | undefined> {
  const files = await pMap(paths, (path) => stat(path).catch(() => undefined), { concurrency: 16 });
  const sizes = files.map((file) => (file?.isFile() ? file.size : Number.NaN));
  const size = sizes.reduce((sum, one) => sum + one, 0);
  return Number.isNaN(size) ? undefined : size;
}

/**
 * The bytes of a file or of the standard input (`-`), unpacked where they begin as gzip does.
 * @param onRead is told how many bytes were read of a file
 * @throws {TaskpipeError} `IO` where it can't be read, `DATA` where the packing is broken
 */
export async function* openSource(
  path: string,
  stdin: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer> {
  const bytes = path === '-' ? stdin() : fileBytes(path, onRead);
  const { first, all } = await peek(bytes, ({ length }) => length >= 2);
  if (first[0] === 0x1f && first[1] === 0x8b) yield* unpacked(all, sourceName(path));
  else yield* all;
}

async function* fileBytes(path: string, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>) {
      onRead(chunk.length);
      yield chunk;
    }
  } catch (error) {
    throw ioError('cannot read', path, error);
  }
}

async function* unpacked(bytes: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  pipeline(Readable.from(bytes, { objectMode: false }), gunzip, () => {}); // its error comes out of the loop below
  try {
    yield* gunzip as AsyncIterable<Buffer>;
  } catch (error) {
    if (systemCode(error)?.startsWith('Z_') !== true) throw error;
    throw new TaskpipeError('DATA', `${name}: the gzip data is broken or cut short: ${messageOf(error)}`, {
      cause: error,
    });
  }
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
