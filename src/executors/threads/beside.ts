import type { OpenWork } from '../module/open.ts';
import { leastOf, Thread, type ThreadsOptions } from './threads.ts';

/**
 * A thread beside this one has so many times as many attempts as this one: for a part of their time they are on the
 * way, and this one has more to do than attempts.
 */
const SHARE = 3;

/** Work that this thread does itself. */
export interface OwnWork extends OpenWork {
  /** How many attempts are under way. */
  readonly size: number;
}

/**
 * Work of which this thread does its share, and others theirs: none of it may hold a thread. It begins here, and each
 * of the others takes part once it is ready.
 */
export function openBeside(own: OwnWork, options: ThreadsOptions): OpenWork {
  const ready: Thread[] = [];
  let failure: { readonly error: unknown } | undefined;
  const threads = Array.from({ length: options.count }, () => new Thread(options));
  for (const thread of threads) {
    thread.ready.then(
      () => ready.push(thread),
      (error) => {
        failure ??= { error };
      },
    );
  }
  return {
    attempt(task, attempt) {
      if (failure !== undefined) throw failure.error;
      const other = ready.length === 0 ? undefined : leastOf(ready);
      const who = other !== undefined && other.size < own.size * SHARE ? other : own;
      return who.attempt(task, attempt);
    },
    close: async () => void (await Promise.all([own, ...threads].map((one) => one.close()))),
  };
}
