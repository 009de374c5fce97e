import { attribute, type Task } from '../../core/record/task.ts';
import type { PushCounts, PushOptions, Queue } from '../../queues/index.ts';

/** Maximum number of tasks in one request to the server, and of their characters. */
const MOST = 1000;
const LARGEST = 4 * 1024 * 1024;

/** Splits a batch into chunks of a size that a server handles well. */
export function* inChunks(tasks: readonly Task[]): Generator<readonly Task[]> {
  let chunk: Task[] = [];
  let size = 0;
  for (const task of tasks) {
    if (chunk.length === MOST || (chunk.length > 0 && size + task.line.length > LARGEST)) {
      yield chunk;
      chunk = [];
      size = 0;
    }
    chunk.push(task);
    size += task.line.length;
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Adds each task to the queue that its `handler` names, else to the first.
 * @param counts totals to add to
 */
export async function shareOut(
  tasks: readonly Task[],
  queues: readonly Queue[],
  options: PushOptions,
  counts: PushCounts,
): Promise<void> {
  for (const [i, queue] of queues.entries()) {
    const part = queues.length === 1 ? tasks : tasks.filter((task) => queueOf(task, queues) === i);
    if (part.length === 0) continue;
    const { added, seen, done } = await queue.push(part, options);
    counts.added += added;
    counts.seen += seen;
    counts.done += done;
  }
}

/** Returns the index of the queue that a task is for. */
export function queueOf({ fields }: Task, queues: readonly Queue[]): number {
  const handler = attribute(fields, 'handler');
  return Math.max(
    0,
    queues.findIndex(({ name }) => name === handler),
  );
}
