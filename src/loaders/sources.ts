import { closeSync, constants, createReadStream, open, openSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import pMap from 'p-map';
import { ioError, messageOf, systemCode, TaskpipeError } from '../core/errors.ts';

const CHUNK = 64 * 1024;
/** With these a zip archive begins: `PK`, 3, 4. */
const ZIP = 0x504b0304;

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
 * @param signal gives a named pipe up, whose writer may never come, or never write
 * @throws {TaskpipeError} `IO` where it can't be read, `DATA` where the packing is broken
 */
export async function* openSource(
  path: string,
  stdin: () => AsyncIterable<Buffer>,
  onRead: (bytes: number) => void = () => {},
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<Buffer> {
  const bytes = path === '-' ? stdin() : fileBytes(path, onRead, signal);
  const { first, all } = await peek(bytes, isTelling);
  if (first.length >= 4 && first.readUInt32BE() === ZIP) {
    throw new TaskpipeError(
      'DATA',
      `${sourceName(path)} is a zip archive, as the files of spreadsheets are: unpack it, or save it as CSV first`,
    );
  }
  if (first[0] === 0x1f && first[1] === 0x8b) yield* unpacked(all, sourceName(path));
  else yield* all;
}

/** Whether these bytes tell gzip and zip from text; a short line is not to wait for the next one. */
function isTelling(first: Buffer): boolean {
  return first.length >= 4 || (first.length >= 2 && first.readUInt16BE() !== ZIP >>> 16);
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
    } catch {} // nobody waits
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
