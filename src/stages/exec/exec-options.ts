import { TaskpipeError } from '../../core/base/errors.ts';
import { mustBeWhole } from '../../core/options/option.ts';
import { checkNames, type Names } from '../../core/options/unknown-options.ts';
import type { Notify } from '../../core/record/event.ts';
import type { Task } from '../../core/record/task.ts';
import type { Backoff } from '../../core/schedule/backoff.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import type { ChildrenOptions } from './children.ts';
import type { Halt } from './halt.ts';

/** All that an executor stage can be told, whatever its kind of work. */
export interface ExecOptions {
  /** How many tasks are worked on at once. Default 10. */
  readonly jobs?: number | undefined;
  /** Lets tasks out in the order they came in. Default: as they finish. */
  readonly keepOrder?: boolean | undefined;
  /** How often a task is tried again. Default 3. */
  readonly retries?: number | undefined;
  /** Default 500 ms to 30 s. */
  readonly backoff?: Backoff | undefined;
  /** How many starts at most. Default: no limit. */
  readonly rate?: Rate | undefined;
  /** The same for each lane, so for each host. */
  readonly laneRate?: Rate | undefined;
  /** How many of one lane run at once. Default: all of `jobs` where there is one lane, else a fair share. */
  readonly perLane?: number | undefined;
  /** Takes no more tasks once so many have failed, or so many of a hundred. */
  readonly maxFailures?: { readonly count: number } | { readonly percent: number } | undefined;
  /** Stops when so many tasks succeeded or failed. */
  readonly halt?: Halt | undefined;
  /** The key that the result stands under. Default `result`. */
  readonly as?: string | undefined;
  /** Passes tasks on as they are, and tells what would be done. */
  readonly dryRun?: ((words: string) => void) | undefined;
  /** Takes the tasks that were not finished, in place of the output. */
  readonly unfinished?: ((task: Task) => void) | undefined;
  /** Undoes tasks that failed in this work or after it, in place of work on the others. Default false. */
  readonly revert?: boolean | undefined;
  /** Receives every change of a task's state, in order. */
  readonly notify?: Notify | undefined;
  /** Where tasks that the work finds are kept, and which are finished. */
  readonly children?: ChildrenOptions | undefined;
  /** How long what runs may go on after `stopping`, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Starts no more; what was read and not finished comes out as PENDING. */
  readonly stopping?: AbortSignal | undefined;
  /**
   * Whether the input ends by itself once `stopping` is aborted, and so is read to its end: what still comes comes out
   * as PENDING. Default: it is read no more.
   */
  readonly drains?: boolean | undefined;
  /** Gives up what runs, too. */
  readonly leaving?: AbortSignal | undefined;
  /** The longest record to let out, in bytes; the result of a longer one is left out, and it fails. Default 16 MiB. */
  readonly maxLine?: number | undefined;
}

/** All of them. */
export const EXEC_NAMES: Names<ExecOptions> = {
  jobs: true,
  keepOrder: true,
  retries: true,
  backoff: true,
  rate: true,
  laneRate: true,
  perLane: true,
  maxFailures: true,
  halt: true,
  as: true,
  dryRun: true,
  unfinished: true,
  revert: true,
  notify: true,
  children: true,
  grace: true,
  stopping: true,
  drains: true,
  leaving: true,
  maxLine: true,
};

/** What holds where an option is not given. Times are in milliseconds. */
export const DEFAULTS: Readonly<{ jobs: number; retries: number; backoff: Backoff; grace: number }> = {
  jobs: 10,
  retries: 3,
  backoff: { min: 500, max: 30_000 },
  grace: 10_000,
};

/** @throws {TaskpipeError} `USAGE` */
export function checkExecOptions(options: ExecOptions): void {
  const { jobs, retries, perLane, as } = options;
  checkNames('exec()', options, EXEC_NAMES);
  mustBeWhole('jobs', jobs, 1);
  mustBeWhole('retries', retries, 0);
  mustBeWhole('perLane', perLane, 1);
  if (as === '' || as === 'uuid' || as === 'run') {
    throw new TaskpipeError(
      'USAGE',
      `as must be a name, and neither uuid nor run; got ${JSON.stringify(as)}`,
    );
  }
}
