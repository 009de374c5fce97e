import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ioError, TaskpipeError } from '../../../../core/base/errors.ts';
import { openLocked } from '../../../../core/storage/lock.ts';

/** First and longest time between two attempts to take the lock, in milliseconds. */
const FIRST_LOOK = 50;
const LONGEST_LOOK = 400;

/** Time after which a message names the reason for the wait, in milliseconds. */
const TOLD = 5000;

/** Longest time to wait, in milliseconds: longer than a request of the holder to the token endpoint. */
const MOST = 60_000;

/**
 * Runs a function while this process has the lock of the `--oauth2` file: two processes must not send the same
 * single-use refresh token.
 * @param signal ends the wait
 * @param info called once if the wait is long
 * @returns undefined if the lock is not free in time
 * @throws {TaskpipeError} `IO` if the file cannot be opened
 */
export async function withLock<T>(
  place: string,
  signal: AbortSignal,
  info: (message: string) => void,
  run: () => Promise<T>,
): Promise<T | undefined> {
  const began = performance.now();
  let isTold = false;
  for (let look = FIRST_LOOK; ; look = Math.min(LONGEST_LOOK, look * 2)) {
    const fd = tryLock(place, info);
    if (fd !== undefined)
      try {
        return await run();
      } finally {
        closeSync(fd);
      }
    const waited = performance.now() - began;
    if (waited > MOST || signal.aborted) return undefined;
    if (waited > TOLD && !isTold)
      info(`waiting for another process that renews the token of ${place} (--oauth2)`);
    isTold ||= waited > TOLD;
    await sleep(look, undefined, { signal }).catch(() => {}); // the abort is handled above
  }
}

/** Takes the lock. Returns its descriptor; undefined if another process holds it. */
function tryLock(place: string, info: (message: string) => void): number | undefined {
  try {
    return openLocked(place, () => openSync(place, 'r'), 'exclusive', '', info);
  } catch (error) {
    if (error instanceof TaskpipeError && error.code === 'LOCKED') return undefined;
    throw ioError('cannot lock --oauth2', place, error);
  }
}
