import type { OpenWork } from '../open-module.ts';
import { type ThreadsOptions, WorkerThread } from './worker-thread.ts';

/**
 * Opens threads that share the tasks. A function that never returns is ended with its thread at its timeout. The
 * first starts at once, which loads the module; the others start when a task would have to wait.
 * @throws {TaskpipeError} as the loading of the module does
 */
export async function openThreads(options: ThreadsOptions): Promise<OpenWork> {
  const threads = [new WorkerThread(options)] as [WorkerThread, ...WorkerThread[]];
  const close = async (): Promise<void> => void (await Promise.all(threads.map((thread) => thread.close())));
  try {
    await threads[0].ready;
  } catch (error) {
    await close();
    throw error;
  }
  const next = (): WorkerThread => {
    const least = leastOf(threads);
    if (least.size === 0 || threads.length === options.count) return least;
    const added = new WorkerThread(options);
    added.ready.catch(() => {}); // its attempts fail
    threads.push(added);
    return added;
  };
  return { attempt: (task, attempt) => next().attempt(task, attempt), close };
}

/** Returns the thread with the fewest attempts. A slow thread gets fewer, because its attempts stay longer. */
function leastOf(threads: readonly WorkerThread[]): WorkerThread {
  let least = threads[0] as WorkerThread;
  for (const thread of threads) if (thread.size < least.size) least = thread;
  return least;
}
