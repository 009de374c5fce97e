import { close, fstatSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { ioError, systemCode } from '../base/errors.ts';
import { datasync, syncFolder, writeAll } from './durable.ts';

const readAt = promisify(read);
const closeFile = promisify(close);

const CHUNK = 1024 * 1024;

/** Returns a name beside a file, with the time: `out.csv.torn-20250101T120000Z`. */
export function sideName(path: string, what: 'torn' | 'kept'): string {
  return `${path}.${what}-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`;
}

/** Creates a file beside another one; a number makes its name unique. @throws {TaskpipeError} `IO` */
export function openSide(
  path: string,
  what: 'torn' | 'kept',
  mode = 0o666,
): { readonly fd: number; readonly path: string } {
  const wanted = sideName(path, what);
  for (let i = 1; ; i++) {
    const side = i === 1 ? wanted : `${wanted}-${i}`;
    try {
      return { fd: openSync(side, 'wx', mode), path: side };
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw ioError('cannot write', side, error);
    }
  }
}

/**
 * Copies an open file to a new one beside its path, which no longer names it.
 * @returns the path of the copy; undefined if that failed, for example because the folder was removed
 */
export async function keepCopy(fd: number, path: string): Promise<string | undefined> {
  try {
    const side = openSide(path, 'kept', fstatSync(fd).mode & 0o777);
    try {
      const from = readable(fd);
      await copyAll(from, side.fd);
      if (from !== fd) await closeFile(from);
      await datasync(side.fd);
    } finally {
      await closeFile(side.fd);
    }
    syncFolder(side.path);
    return side.path;
  } catch {
    return undefined; // the caller reports the loss, with or without a copy
  }
}

/** Opens a file again to read it, if the system can do that without a name (Linux can). */
function readable(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, 'r');
  } catch {
    return fd;
  }
}

async function copyAll(from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; ; ) {
    const { bytesRead } = await readAt(from, buffer, 0, CHUNK, at);
    if (bytesRead === 0) return;
    await writeAll(to, buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
