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

/**
 * Syncs the data of a file with fdatasync(2). A failure is final: the kernel may have dropped the data, so it
 * is not retried.
 */
export const datasync: (fd: number) => Promise<void> = promisify(fdatasync);

const writeAt = promisify(write);

/**
 * Writes bytes with one write(2), off the main thread, at the position of the descriptor, or with `O_APPEND`
 * at the end of the file. Returns the number of bytes written.
 */
export async function writeOnce(fd: number, bytes: Buffer): Promise<number> {
  return (await writeAt(fd, bytes)).bytesWritten;
}

/**
 * Writes all of the bytes, with further writes after a short one.
 * @param position offset in the file; default: as for `writeOnce`
 */
export async function writeAll(fd: number, bytes: Buffer, position?: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const place = position === undefined ? null : position + at;
    const { bytesWritten } = await writeAt(fd, bytes, at, bytes.length - at, place);
    if (bytesWritten === 0) throw new Error('nothing more can be written');
    at += bytesWritten;
  }
}

/** Error codes of fsync on a folder that does not support it, or that cannot be read. */
const NOT_HERE = ['EINVAL', 'ENOTSUP', 'EACCES', 'EPERM'];

/** Makes the name of a new or renamed file durable, by fsync of its folder if that is possible. */
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
 * Returns the mode of a file that will be replaced; undefined if it does not exist.
 * @throws {TaskpipeError} `USAGE` if it is not a file: a rename would replace a device with a file
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
 * Replaces a file: writes a new one beside it, with its permissions, and renames that to its name. After a
 * crash, the path names the old file or the whole new one. If another program changes the file meanwhile, it
 * is not replaced, because that change would be lost.
 * @param path a path from `resolved`: the rename would replace a symbolic link
 * @returns the size of the new file in bytes
 * @throws {TaskpipeError} `USAGE` if the path exists and is not a file, `IO` if the file was changed
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

/** Maximum number of links in a row. More links are a cycle, which is reported when the path is opened. */
const MOST_LINKS = 40;

/** Returns the path that a symbolic link leads to, even if nothing exists there; any other path as it is. */
export function resolved(path: string): string {
  let place = path;
  for (let i = 0; i < MOST_LINKS; i++) {
    if (!lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) break;
    if (existsSync(place)) return realpathSync(place);
    place = resolve(realpathSync(dirname(place)), readlinkSync(place));
  }
  return place;
}

/** Returns the canonical path of a file, to compare paths. The file and its folder need not exist. */
export function realPath(path: string): string {
  const place = resolve(resolved(path));
  const folder = dirname(place);
  return existsSync(folder) ? join(realpathSync(folder), basename(place)) : place;
}
