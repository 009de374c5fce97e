import { mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { ioError } from '../../core/base/errors.ts';
import { openLocked } from '../../core/storage/lock.ts';
import type { DestinationOptions } from '../contract.ts';

type Locked = Pick<DestinationOptions, 'path' | 'warn'>;

/**
 * Locks an output that consists of several files, with a file beside it that exists during a run.
 * @returns the descriptor of that file, which holds the lock
 */
export function lockFolder({ path, warn }: Locked): number {
  const place = `${path}.run`;
  const busy = `${path} is being written by another task-save; wait until it has ended, or save to another folder`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openLocked(place, () => openSync(place, 'a'), 'exclusive', busy, warn);
  } catch (error) {
    throw ioError('cannot open', place, error);
  }
}

/** Removes the file that marks a run, at its end or if it does not begin. Call it while the lock is held. */
export function endFolderRun({ path }: Pick<Locked, 'path'>): void {
  rmSync(`${path}.run`, { force: true });
}
