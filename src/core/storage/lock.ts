import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync } from 'node:fs';
import { TaskpipeError } from '../base/errors.ts';
import { isFileAt } from './named-file.ts';

/** Kind of a lock: an exclusive lock excludes all others, a shared one only exclusive ones. */
export type LockKind = 'exclusive' | 'shared';

/** True after the message that locks are not available, which is shown once. */
let isSaid = false;

/**
 * Opens a file and locks it with flock(2) on our own descriptor: the lock lives as long as the process, and
 * `kill -9` releases it too. If the path names another file by then (the previous holder has renamed one over
 * it), the path is opened again.
 * @param open opens the path and returns the descriptor
 * @param busy message if another process holds the lock
 * @returns the descriptor
 * @throws {TaskpipeError} `LOCKED`
 */
export function openLocked(
  path: string,
  open: () => number,
  kind: LockKind,
  busy: string,
  warn: (message: string) => void,
): number {
  for (;;) {
    const fd = open();
    try {
      if (!lock(fd, kind, warn)) throw new TaskpipeError('LOCKED', busy);
      if (isFileAt(path, fstatSync(fd))) return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(fd);
  }
}

/**
 * Takes the lock of an open file without waiting. Returns false if another process holds it. Returns true
 * with a message if `flock` or the file system does not support locks.
 */
export function lock(fd: number, kind: LockKind, warn: (message: string) => void): boolean {
  const flag = kind === 'exclusive' ? '-x' : '-s';
  const { status } = spawnSync('flock', ['-n', flag, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
  if (status === 0) return true;
  if (status === 1) return false;
  if (!isSaid) warn('no locks here (is flock installed?): two savers on one file will not be noticed');
  isSaid = true;
  return true;
}
