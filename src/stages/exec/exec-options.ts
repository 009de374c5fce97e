import { count, duration, flag, path, size, value } from '../../core/options/declare.ts';
import { checkOptions, type LibraryOptions, type Names } from '../../core/options/library-options.ts';
import { InvalidValue } from '../../core/options/option.ts';
import type { Notify } from '../../core/record/event.ts';
import type { Task } from '../../core/record/task.ts';
import { type Backoff, toBackoff } from '../../core/schedule/backoff.ts';
import { type Rate, toRate } from '../../core/schedule/rate.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import type { ChildrenOptions } from './children.ts';
import type { ExecCounts } from './contract.ts';

/** Default values. Times are in milliseconds. */
export const DEFAULTS: Readonly<{ jobs: number; retries: number; backoff: Backoff; grace: number }> = {
  jobs: 10,
  retries: 3,
  backoff: { min: 500, max: 30_000 },
  grace: 10_000,
};

/** Failures that end a stage: a number, or a percentage that is judged from 100 tasks on. */
export type MaxFailures = { readonly count: number } | { readonly percent: number };

/** Options of an executor stage, whatever its kind of work: of `task-exec` and of `exec()`. */
export const execOptions = {
  /** Maximum number of running tasks. Default 10. */
  jobs: count('how many tasks at once', { default: DEFAULTS.jobs, alias: ['j', 'concurrency'] }),
  /** Passes tasks on in the order of the input. Default: in the order in which they finish. */
  keepOrder: flag('let tasks out in the order they came in; default: as they finish'),
  /** Key of the result in a record. Default `result`. */
  as: value('the key that the result stands under', 'NAME', toKey, { default: 'result' }),
  /** Maximum number of retries of a task. Default 3. */
  retries: count('how often a task is tried again', { min: 0, default: DEFAULTS.retries }),
  /** Bounds of the wait before a retry. Default 500 ms to 30 s. */
  backoff: value<Backoff>('how long to wait before: exponential, with full jitter', 'MIN..MAX', toBackoff, {
    default: DEFAULTS.backoff,
    defaultText: '500ms..30s',
  }),
  /** Maximum rate at which attempts start. Default: no limit. */
  rate: value<Rate>('how many starts at most, as in 50/s or 100/m', 'RATE', toRate),
  /**
   * Maximum number of running tasks of one lane: for HTTP, of one origin. Default: all of `jobs` if there is
   * one lane, else a fair share.
   */
  perHost: count('how many at once of one host; default: all where there is one host, else a fair share'),
  /** Maximum rate for each lane: for HTTP, for each origin. Default: no limit. */
  hostRate: value<Rate>('how many starts of each host at most', 'RATE', toRate),
  /**
   * Number or percentage of failed tasks at which the stage stops. A percentage is judged from 100 ended
   * tasks on.
   */
  maxFailures: value<MaxFailures>(
    'take no more tasks once so many failed, or so many of a hundred (judged from 100 on)',
    'N|N%',
    toFailures,
  ),
  unfinished: path('write what was not finished to this file, in place of the output, when stopped'),
  /** Time that running tasks have to finish once the stage stops, in milliseconds. Default 10 s. */
  grace: duration('how long what runs may go on when stopped', {
    default: DEFAULTS.grace,
    defaultText: '10s',
  }),
  /** Reverts tasks that failed in this work or after it; all others are passed on. Default false. */
  revert: flag(
    'undo tasks that failed in this work or after it: run it for them, or the revert of a --module',
  ),
  dryRun: flag('do nothing: say what would be done, and pass the tasks on as PENDING'),
  /**
   * Longest record to pass on, in bytes. A task whose record is longer fails, without its result. Default 16
   * MiB.
   */
  maxLine: size('the longest record', { default: MAX_LINE, defaultText: '16MB' }),
};

/** Options of `exec()` that the command does not have, or has in another form. */
interface OwnExecOptions {
  /**
   * Called with a description of each task instead of running it; the command prints it. The task comes out as
   * PENDING.
   */
  readonly dryRun?: ((line: string) => void) | undefined;
  /** Receives the tasks that come out as PENDING, instead of the output. The command writes them to a file. */
  readonly unfinished?: ((task: Task) => void) | undefined;
  /** Receives every change of a task's state, in order. */
  readonly notify?: Notify | undefined;
  /** Options for tasks that the work finds: where they are kept, and which are finished. */
  readonly children?: ChildrenOptions | undefined;
  /** Signal to start no more tasks. Tasks that were read and are not finished come out as PENDING. */
  readonly stopping?: AbortSignal | undefined;
  /**
   * Set if the input ends by itself once `stopping` is aborted. The input is then read to its end, and the
   * rest of it comes out as PENDING. Default: reading stops.
   */
  readonly drains?: boolean | undefined;
  /** Signal to give up running tasks too. */
  readonly aborting?: AbortSignal | undefined;
}

/** Options of an executor stage, whatever its kind of work. */
export type ExecOptions = LibraryOptions<typeof execOptions, OwnExecOptions>;

/** Names of the options of `OwnExecOptions`. */
export const OWN_EXEC_OPTIONS: Names<OwnExecOptions> = {
  dryRun: true,
  unfinished: true,
  notify: true,
  children: true,
  stopping: true,
  drains: true,
  aborting: true,
};

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid */
export function checkExecOptions(options: ExecOptions): void {
  checkOptions('exec()', options, execOptions, OWN_EXEC_OPTIONS);
}

function toKey(typed: string): string {
  if (typed === '' || typed === 'uuid' || typed === 'run')
    throw new InvalidValue('must be a name, and neither uuid nor run');
  return typed;
}

function toFailures(typed: string): MaxFailures {
  const [, digits = '', sign] = /^(\d+)(%?)$/.exec(typed) ?? [];
  const limit = Number(digits);
  if (digits === '' || limit < 1 || (sign === '%' && limit > 100))
    throw new InvalidValue('must be a number or a percentage, as in 100 or 5%');
  return sign === '%' ? { percent: limit } : { count: limit };
}

/** Number of tasks that must have ended before a percentage of failures is judged. */
const FIRST_JUDGED = 100;

/** Returns whether the failures have reached the limit. */
export function hasTooManyFailures(
  { failed, succeeded }: ExecCounts,
  most: MaxFailures | undefined,
): boolean {
  if (most === undefined) return false;
  if ('count' in most) return failed >= most.count;
  const all = failed + succeeded;
  return all >= FIRST_JUDGED && failed * 100 >= most.percent * all;
}
