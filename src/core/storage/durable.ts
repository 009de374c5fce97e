import {
  closeSync,
  existsSync,
  fchmodSync,
  fdatasync,
  fsyncSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
  write,
} from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { systemCode, TaskpipeError } from '../base/errors.ts';

/** fdatasync(2). A failure is final: the kernel may have dropped the data, so it is not retried. */
export const datasync: (fd: number) => Promise<void> = promisify(fdatasync);

const writeAt = promisify(write);

/** One write(2), off the main thread, where the descriptor stands, or at its end with `O_APPEND`. Returns how many bytes. */
export async function writeOnce(fd: number, bytes: Buffer): Promise<number> {
  return (await writeAt(fd, bytes)).bytesWritten;
}

/**
 * Writes all of the bytes, minding short writes.
 * @param position where in the file; default: where the descriptor stands, or its end with `O_APPEND`
 */
export async function writeAll(fd: number, bytes: Buffer, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === undefined ? null : position + at;
    const { bytesWritten } = await writeAt(fd, bytes, at, bytes.length - at, place);
    if (bytesWritten === 0) throw new Error('nothing more can be written');
    at += bytesWritten;
  }
}

/** Errors of fsync on a folder that does not support it: no such call, or the folder can't be read. */
const NOT_HERE = ['EINVAL', 'ENOTSUP', 'EACCES', 'EPERM'];

/** Makes the name of a new or renamed file last: fsync of its folder. */
export function syncFolder(path: string): void {
  let fd: number | undefined;
  try {
    fd = openSync(dirname(path), 'r');
    fsyncSync(fd);
  } catch (error) {
    if (!NOT_HERE.includes(systemCode(error) ?? '')) throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * The mode of a file that is to be replaced; undefined where there is none.
 * @throws {TaskpipeError} `USAGE` if it is not a file: a rename would replace a device by one
 */
export function modeOf(path: string): number | undefined {
  return fileAt(path)?.mode;
}

function fileAt(path: string): Stats | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile())
    throw new TaskpipeError('USAGE', `${path} is not a file; name one`);
  return stat;
}

function mustBeUnchanged(path: string, before: Stats | undefined): void {
  const now = fileAt(path);
  const isSame = now?.ino === before?.ino && now?.size === before?.size && now?.mtimeMs === before?.mtimeMs;
  if (isSame) return;
  throw new TaskpipeError(
    'IO',
    `${path} was changed by another program while it was rewritten, and is left as it is; run the same command again`,
  );
}

/**
 * Writes a file beside another one and renames it into its place, with its permissions: a crash leaves the old one or
 * the new one. A new file must not take the place of a symbolic link: give what `resolved` returns.
 * A file that another program changes meanwhile is not replaced: that change would be lost.
 * @returns how many bytes it has
 * @throws {TaskpipeError} `USAGE` if it exists and is not a file, `IO` if it was changed
 */
export async function replaceFile(path: string, chunks: AsyncIterable<Buffer>): Promise<number> {
  const temporary = `${path}.new`;
  const before = fileAt(path);
  const mode = before?.mode;
  let bytes = 0;
  try {
    const fd = openSync(temporary, 'w', mode ?? 0o666);
    try {
      if (mode !== undefined) fchmodSync(fd, mode & 0o777);
      for await (const chunk of chunks) {
        await writeAll(fd, chunk);
        bytes += chunk.length;
      }
      await datasync(fd);
    } finally {
      closeSync(fd);
    }
    mustBeUnchanged(path, before);
    await rename(temporary, path);
    syncFolder(path);
    return bytes;
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Limit on links in a row. More are a cycle, and opening the path reports it. */
const MOST_LINKS = 40;

/** What a symbolic link leads to, whether that exists or not; any other path as it is. */
export function resolved(path: string): string {
  let place = path;
  for (let i = 0; i < MOST_LINKS; i++) {
    if (!lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) break;
    if (existsSync(place)) return realpathSync(place);
    place = resolve(realpathSync(dirname(place)), readlinkSync(place));
  }
  return place;
}

/** The one name of a file, by which two paths can be compared; it need not exist, nor its folder. */
export function realPath(path: string): string {
  const place = resolve(resolved(path));
  const folder = dirname(place);
  return existsSync(folder) ? join(realpathSync(folder), basename(place)) : place;
}
