import type { Task } from '../core/record/task.ts';

/** Tasks as they move between stages, in batches of tasks that arrived together. */
export type Tasks = AsyncIterable<readonly Task[]>;

/** Stages of a pipeline that runs in one process. */
export interface Pipeline<Saved> {
  /** Source of the tasks, such as `load(...)`. */
  readonly load: Tasks;
  /** Work on the tasks, in order: one `exec(...)`, or several. */
  readonly exec?: ((tasks: Tasks) => Tasks) | readonly ((tasks: Tasks) => Tasks)[] | undefined;
  /** Saver of the tasks. */
  readonly save: (tasks: Tasks) => Promise<Saved>;
}

/**
 * Runs a loader, executors and a saver in one process, as a shell pipeline would in several:
 *
 *     await pipeline({
 *       load: load('a.csv', { uuidFields: ['url'], ledger: 'done.jsonl' }),
 *       exec: exec(await http(), { jobs: 50 }),
 *       save: (tasks) => save(tasks, 'out.csv', { ledger: 'done.jsonl' }),
 *     });
 *
 * @returns the result of the saver
 * @throws the error of any stage; the other stages are then ended
 */
export function pipeline<Saved>({ load, exec = [], save }: Pipeline<Saved>): Promise<Saved> {
  let tasks = load;
  for (const stage of typeof exec === 'function' ? [exec] : exec) tasks = stage(tasks);
  return save(tasks);
}
