import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../../../core/base/errors.ts';
import { closeIdle } from './connection.ts';

/** Error codes for a shortage on this machine: of open files, local ports or buffers. */
const SHORT: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS']);

/** Longest wait for a free file, in milliseconds. */
const PATIENCE = 60_000;

/** Returns whether an error is a shortage on this machine, which is temporary. */
export function isShortage(error: unknown): boolean {
  const [first] = error instanceof AggregateError ? error.errors : [error];
  return SHORT.has(systemCode(first) ?? '') || SHORT.has(systemCode(error) ?? '');
}

/** Frees files by closing idle connections. Returns the time until the next attempt, in milliseconds. */
export function makeRoom(): number {
  return closeIdle() ? 1 : 20 + Math.random() * 60;
}

/** Runs a function that opens files, again as long as too many are open. Rejects as it does. */
export async function whenFilesAreFree<T>(run: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE; ; ) {
    try {
      return await run();
    } catch (error) {
      if (!isShortage(error) || performance.now() > end) throw error;
      await sleep(makeRoom());
    }
  }
}
