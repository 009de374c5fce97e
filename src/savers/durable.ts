import { closeSync, fdatasync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** fdatasync(2). A failure is final: the kernel may have forgotten the data, so nobody tries it again. */
export const datasync: (fd: number) => Promise<void> = promisify(fdatasync);

/** Makes the name of a new or renamed file last: fsync of its folder. */
export function syncFolder(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
