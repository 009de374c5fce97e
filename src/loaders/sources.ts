import { constants, createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
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

/**
 * The bytes of a file or of the standard input (`-`), unpacked where they begin as gzip does.
 * @throws {TaskpipeError} `IO` where it can't be read, `DATA` where the packing is broken
 */
export async function* openSource(path: string, stdin: () => AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { first, all } = await peek(path === '-' ? stdin() : fileBytes(path));
  if (first[0] === 0x1f && first[1] === 0x8b) yield* unpacked(all, sourceName(path));
  else yield* all;
}

async function* fileBytes(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer>;
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

/** Lets the beginning of a stream be looked at: its first chunk (empty at its end), and the whole stream. */
export async function peek(
  bytes: AsyncIterable<Buffer>,
): Promise<{ first: Buffer; all: AsyncIterable<Buffer> }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const first = await iterator.next();
  return { first: first.done ? Buffer.alloc(0) : first.value, all: chain(first, iterator) };
}

async function* chain(first: IteratorResult<Buffer>, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
