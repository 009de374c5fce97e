import type { Worker } from 'node:worker_threads';
import { killDescendants } from '../../../core/base/descendants.ts';
import { stuckThreads } from '../../../core/base/stuck-threads.ts';

/**
 * Time after which the child processes of a thread that does not end are killed, in milliseconds: the thread may wait
 * for them.
 */
const CHILDREN = 200;

/** Time after which a thread that does not end is given up, in milliseconds: it is in a system call. */
const PATIENCE = 500;

/**
 * Terminates a thread. Resolves when it has ended or is given up: a thread in a system call cannot be ended.
 * @param number of the thread in the system, if it is known
 */
export function endThread(worker: Worker, number: number | undefined): Promise<void> {
  if (worker.threadId < 0) return Promise.resolve();
  return new Promise((resolve) => {
    const kill = setTimeout(() => number === undefined || killDescendants(number), CHILDREN);
    let isStuck = false;
    const giveUp = setTimeout(() => {
      isStuck = true;
      stuckThreads.count++;
      resolve();
    }, PATIENCE);
    worker.once('exit', () => {
      clearTimeout(kill);
      clearTimeout(giveUp);
      if (isStuck) stuckThreads.count--;
      resolve();
    });
    void worker.terminate();
  });
}
