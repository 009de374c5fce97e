import { closeSync, fdatasync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { systemCode } from './errors.ts';

/** fdatasync(2). A failure is final: the kernel may have forgotten the data, so nobody tries it again. */
export const datasync: (fd: number) => Promise<void> = promisify(fdatasync);

/** What fsync of a folder gives where it is not to be had: the file system knows none, or the folder can't be read. */
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
