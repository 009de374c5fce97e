import { count, flag } from '../../core/options/declare.ts';
import type { LibraryOptions } from '../../core/options/library-options.ts';
import type { OptionValues } from '../../core/options/option.ts';
import type { Setting } from '../contract.ts';
import type { OwnProcessOptions, processOptions } from '../program/options.ts';

/** Help of `--worker`, after its options. */
export const workerHelp: string = [
  'The stage starts -j programs and keeps them running. Each program reads and writes lines of JSON:',
  '  stdin\tone record a line; the number of the program, from 1, is in TASK_WORKER_NUMBER',
  '  stdout\tone line for each record, in any order: {"uuid","result"}, or {"uuid","error":{"code","message","retry"}}; flush after each line',
  '  {"batch":[…]}\twith --batch, the form of a line of stdin and of stdout: answers in order, or with the uuid of each',
  '  stderr\tshown with the number of the program',
  'CMD has no placeholders: everything that differs from task to task is in the record.',
].join('\n');

/** Options of `--worker` alone. */
export const workerOptions = {
  /** Number of tasks that a worker has at once. Default: one, and more the faster it answers. */
  perWorker: count('tasks that a worker has at once; default: one, and more the faster it answers', {
    details:
      'A fast worker would otherwise wait for its next task most of the time. Set 1 if tasks must not wait behind a slow one. With --batch, the number of batches.',
  }),
  /**
   * True to write a batch as a line for each record and an empty line, and to read answers of this form. Default: one
   * line.
   */
  batchLines: flag(
    'with --batch: write the records of a batch line by line, then an empty line; answers too',
    {
      details: 'Without it, a batch is one line: {"batch":[…]}, and so is its answer.',
    },
  ),
};

type WorkerTable = typeof processOptions & typeof workerOptions;

/** Options of `worker()` that `--worker` does not have, or that belong to the stage. */
interface OwnWorkerOptions extends OwnProcessOptions {
  /** Number of processes. Default 10. */
  readonly jobs?: number | undefined;
  /** Maximum number of tasks of one call: tasks are sent in batches. Default: each line is a task. */
  readonly batch?: number | undefined;
  /** Time that workers have to end when there are no more tasks, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Called with the stderr of workers, line by line. Default: it is dropped. */
  readonly print?: ((line: string) => void) | undefined;
  /** Called with hints. Default: they are dropped. */
  readonly info?: ((message: string) => void) | undefined;
  /** Signal to stop the stage. Tasks of workers that die then are unfinished, not failed. */
  readonly stopping?: AbortSignal | undefined;
}

/** Options of the executor for workers. */
export type WorkerOptions = LibraryOptions<WorkerTable, OwnWorkerOptions>;

type Given = OptionValues<WorkerTable> & {
  readonly jobs: number;
  readonly grace: number;
  readonly batch?: number | undefined;
};

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(values: Given, setting: Setting): WorkerOptions {
  const { timeout, env: environment, print, info, stopping } = setting;
  return { ...values, timeout, environment, print, info, stopping };
}
