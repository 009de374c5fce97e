import type { OpenWork } from '../open-module.ts';
import { type ThreadsOptions, WorkerThread } from './worker-thread.ts';

/**
 * Opens threads that share the tasks. A function that never returns is ended with its thread at its timeout.
 * @throws {TaskpipeError} as the loading of the module does
 */
export async function openThreads(options: ThreadsOptions): Promise<OpenWork> {
  const threads = Array.from({ length: options.count }, () => new WorkerThread(options));
  const close = async (): Promise<void> => void (await Promise.all(threads.map((thread) => thread.close())));
  try {
    await Promise.all(threads.map(({ ready }) => ready));
  } catch (error) {
    await close();
    throw error;
  }
  return { attempt: (task, attempt) => leastOf(threads).attempt(task, attempt), close };
}

/** Returns the thread with the fewest attempts. A slow thread gets fewer, because its attempts stay longer. */
function leastOf(threads: readonly WorkerThread[]): WorkerThread {
  let least = threads[0] as WorkerThread;
  for (const thread of threads) if (thread.size < least.size) least = thread;
  return least;
}
