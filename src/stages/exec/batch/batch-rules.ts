import { TaskpipeError } from '../../../core/base/errors.ts';
import { optionName } from '../../../core/options/option.ts';
import { BATCH_OPTIONS } from '../../../executors/batch-options.ts';
import type { Executor } from '../../../executors/contract.ts';

/** Options that cannot be combined with batches, with the reason. */
const EXCLUDED: Readonly<Record<string, string>> = {
  adaptive: 'measures calls for single tasks',
  shared: 'counts the starts of single tasks; --host-rate without it counts calls',
  threads: 'sends single tasks to its threads; start threads in the module instead',
  logDir: 'has one log for each task, and a call has many tasks',
  results: 'has one file for each task, and the output of a call is divided by lines',
  live: 'shows the output with its task, and a call has many tasks',
  tag: 'shows the output with its task, and a call has many tasks',
  bodyDir: 'has one file for each task, and the answer to a call has many results',
  next: 'follows the pages of single tasks',
  form: 'sends the form of a single task; --data makes an item of each task',
  bodyFile: 'sends the file of a single task; --data makes an item of each task',
};

/** Default options without batches. Options of batches in the environment then have no effect. */
export const NO_BATCH: Readonly<Record<string, undefined>> = Object.fromEntries(
  BATCH_OPTIONS.map((name) => [name, undefined]),
);

/** Options of single kinds that need `batch`. */
const DEPENDENT: readonly string[] = [
  ...BATCH_OPTIONS.filter((name) => name !== 'batch'),
  'batchLines',
  'batchAnswer',
];

/**
 * Checks that options can be combined with batches, and that options of batches are not used without `batch`.
 * @param typed keys of the options on the command line: others without effect are ignored. Default: all are checked
 * @throws {TaskpipeError} `USAGE`
 */
export function checkBatch(values: Readonly<Record<string, unknown>>, typed?: ReadonlySet<string>): void {
  const isGiven = (key: string): boolean => {
    const value = values[key];
    const isSet = value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
    return isSet && (typed?.has(key) ?? true);
  };
  if (values.batch === undefined) {
    const alone = DEPENDENT.find(isGiven);
    if (alone !== undefined)
      throw new TaskpipeError(
        'USAGE',
        `${optionName(alone)} has no effect without --batch, such as --batch 100`,
      );
    return;
  }
  for (const [key, why] of Object.entries(EXCLUDED))
    if (isGiven(key))
      throw new TaskpipeError(
        'USAGE',
        `${optionName(key)} and --batch cannot be combined: ${optionName(key)} ${why}`,
      );
}

/** Checks that the work of a stage can be called for several tasks. @throws {TaskpipeError} `USAGE` */
export function mustTakeBatches(executor: Executor, batch: number | undefined): void {
  if (batch === undefined || executor.attemptAll !== undefined) return;
  throw new TaskpipeError(
    'USAGE',
    'batch needs work that takes several tasks: http(), command() or worker(), or an executor with attemptAll',
  );
}
