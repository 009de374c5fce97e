import type { Task } from '../core/record/task.ts';

/** Tasks as they move between stages: an array for what came together. */
export type Tasks = AsyncIterable<readonly Task[]>;

/** A loader, executors and a saver, assembled. */
export interface Procession<Saved> {
  /** Where tasks come from, as `load(...)` gives them. */
  readonly load: Tasks;
  /** What is done with them, in order: `exec(...)`, one or several. */
  readonly exec?: ((tasks: Tasks) => Tasks) | readonly ((tasks: Tasks) => Tasks)[] | undefined;
  /** What keeps them. */
  readonly save: (tasks: Tasks) => Promise<Saved>;
}

/**
 * Runs a loader, executors and a saver in one process, as a shell pipeline would in several:
 *
 *     await procession({
 *       load: load('a.csv', { uuidFields: ['url'], ledger: 'done.jsonl' }),
 *       exec: exec(await http(), { jobs: 50 }),
 *       save: (tasks) => save(tasks, 'out.csv', { ledger: 'done.jsonl' }),
 *     });
 *
 * @returns what the saver gives
 * @throws what any of them throws; the others are then brought to an end
 */
export function procession<Saved>({ load, exec = [], save }: Procession<Saved>): Promise<Saved> {
  let tasks = load;
  for (const stage of typeof exec === 'function' ? [exec] : exec) tasks = stage(tasks);
  return save(tasks);
}
