import { TaskpipeError } from '../../core/base/errors.ts';
import { mustBeWhole } from '../../core/options/option.ts';
import { checkNames, type Names } from '../../core/options/unknown-options.ts';
import type { Notify } from '../../core/record/event.ts';
import type { Task } from '../../core/record/task.ts';
import type { Backoff } from '../../core/schedule/backoff.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import type { ChildrenOptions } from './children.ts';
import type { ExecCounts } from './contract.ts';

/** Options of every executor stage, whatever its kind of work. */
export interface ExecOptions {
  /** Maximum number of running tasks. Default 10. */
  readonly jobs?: number | undefined;
  /** Passes tasks on in the order of the input. Default: in the order in which they finish. */
  readonly keepOrder?: boolean | undefined;
  /** Maximum number of retries of a task. Default 3. */
  readonly retries?: number | undefined;
  /** Bounds of the wait before a retry. Default 500 ms to 30 s. */
  readonly backoff?: Backoff | undefined;
  /** Maximum rate at which attempts start. Default: no limit. */
  readonly rate?: Rate | undefined;
  /** Maximum rate for each lane: for HTTP, for each origin. Default: no limit. */
  readonly hostRate?: Rate | undefined;
  /**
   * Maximum number of running tasks of one lane. Default: all of `jobs` if there is one lane, else a fair
   * share.
   */
  readonly perHost?: number | undefined;
  /**
   * Number or percentage of failed tasks at which the stage stops. A percentage is judged from 100 ended
   * tasks on.
   */
  readonly maxFailures?: { readonly count: number } | { readonly percent: number } | undefined;
  /** Key of the result in a record. Default `result`. */
  readonly as?: string | undefined;
  /** Called with a description of each task instead of running it. The task comes out as PENDING. */
  readonly dryRun?: ((words: string) => void) | undefined;
  /** Receives the tasks that come out as PENDING, instead of the output. */
  readonly unfinished?: ((task: Task) => void) | undefined;
  /** Reverts tasks that failed in this work or after it; all others are passed on. Default false. */
  readonly revert?: boolean | undefined;
  /** Receives every change of a task's state, in order. */
  readonly notify?: Notify | undefined;
  /** Options for tasks that the work finds: where they are kept, and which are finished. */
  readonly children?: ChildrenOptions | undefined;
  /** Time that running tasks have to finish once the stage stops, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Signal to start no more tasks. Tasks that were read and are not finished come out as PENDING. */
  readonly stopping?: AbortSignal | undefined;
  /**
   * Set if the input ends by itself once `stopping` is aborted. The input is then read to its end, and the
   * rest of it comes out as PENDING. Default: reading stops.
   */
  readonly drains?: boolean | undefined;
  /** Signal to give up running tasks too. */
  readonly leaving?: AbortSignal | undefined;
  /**
   * Longest record to pass on, in bytes. A task whose record is longer fails, without its result. Default 16
   * MiB.
   */
  readonly maxLine?: number | undefined;
}

/** Names of all options; others are rejected. */
export const EXEC_NAMES: Names<ExecOptions> = {
  jobs: true,
  keepOrder: true,
  retries: true,
  backoff: true,
  rate: true,
  hostRate: true,
  perHost: true,
  maxFailures: true,
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

/** Defaults of options. Times are in milliseconds. */
export const DEFAULTS: Readonly<{ jobs: number; retries: number; backoff: Backoff; grace: number }> = {
  jobs: 10,
  retries: 3,
  backoff: { min: 500, max: 30_000 },
  grace: 10_000,
};

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid */
export function checkExecOptions(options: ExecOptions): void {
  const { jobs, retries, perHost, as } = options;
  checkNames('exec()', options, EXEC_NAMES);
  mustBeWhole('jobs', jobs, 1);
  mustBeWhole('retries', retries, 0);
  mustBeWhole('perHost', perHost, 1);
  if (as === '' || as === 'uuid' || as === 'run') {
    throw new TaskpipeError(
      'USAGE',
      `as must be a name, and neither uuid nor run; got ${JSON.stringify(as)}`,
    );
  }
}

/** Number of tasks that must have ended before a percentage of failures is judged. */
const FIRST_JUDGED = 100;

/** Returns whether the failures have reached the limit. */
export function hasTooManyFailures(
  { failed, succeeded }: ExecCounts,
  most: ExecOptions['maxFailures'],
): boolean {
  if (most === undefined) return false;
  if ('count' in most) return failed >= most.count;
  const all = failed + succeeded;
  return all >= FIRST_JUDGED && failed * 100 >= most.percent * all;
}
