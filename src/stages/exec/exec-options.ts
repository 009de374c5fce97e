import { TaskpipeError } from '../../core/base/errors.ts';
import { count, duration, flag, path, size, value } from '../../core/options/declare.ts';
import { checkOptions, type LibraryOptions, type Names } from '../../core/options/library-options.ts';
import { InvalidValue } from '../../core/options/option.ts';
import type { Notify } from '../../core/record/event.ts';
import type { Task } from '../../core/record/task.ts';
import { type Backoff, toBackoff } from '../../core/schedule/backoff.ts';
import { type Rate, toRate } from '../../core/schedule/rate.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import { batchOptions } from '../../executors/batch-options.ts';
import { checkBatch } from './batch/batch-rules.ts';
import type { StageHandle } from './cancels.ts';
import type { ChildrenOptions } from './children.ts';
import { type Halt, type Limit, toHalt, toLimit } from './halt.ts';
import { toJobs } from './jobs.ts';
import type { Limits } from './limits/index.ts';

/** Default values. Times are in milliseconds. */
export const DEFAULTS: Readonly<{ jobs: number; retries: number; backoff: Backoff; grace: number }> = {
  jobs: 10,
  retries: 3,
  backoff: { min: 500, max: 30_000 },
  grace: 10_000,
};

/** Options of an executor stage, whatever its kind of work: of `task-exec` and of `exec()`. */
export const execOptions = {
  /** Maximum number of running tasks. Default 10. */
  jobs: {
    ...value('number of tasks at once; N% and +N count from the number of processors', 'N|N%|+N', toJobs, {
      default: DEFAULTS.jobs,
      alias: ['j', 'concurrency'],
      details:
        'For example, 50% is half as many as there are processors, at least 1, and +2 is two more than those.',
    }),
    min: 1,
  },
  /** True to pass tasks on in the order of the input. Default: in the order in which they finish. */
  keepOrder: flag('write tasks in input order; default: as they finish'),
  /** Key of the result in a record. Default `result`. */
  as: value('key of the result in the record', 'NAME', toKey, { default: 'result' }),
  /** Maximum number of retries of a task. Default 3. */
  retries: count('number of retries of a task', { min: 0, default: DEFAULTS.retries }),
  /** Bounds of the wait before a retry. Default 500 ms to 30 s. */
  backoff: value<Backoff>('wait before a retry: exponential, with full jitter', 'MIN..MAX', toBackoff, {
    default: DEFAULTS.backoff,
    defaultText: '500ms..30s',
  }),
  ...batchOptions,
  /** Maximum rate at which attempts start. Default: no limit. */
  rate: value<Rate>('maximum rate of starts, such as 50/s or 100/m', 'RATE', toRate),
  /** Minimum time between two starts, in milliseconds. Default: none. */
  delay: duration('minimum time between two starts', { min: 1 }),
  /**
   * Maximum number of running tasks of one lane: for HTTP, of one origin. Default: all of `jobs` if there is
   * one lane, else a fair share.
   */
  perHost: count('tasks at once per host; default: all if there is one host, else a fair share'),
  /**
   * True to learn from latency how many tasks of one lane may run at once: for HTTP, of one origin. Default false.
   */
  adaptive: flag('find out how many tasks at once each host bears, by the time that its answers take', {
    details:
      'Each host begins with 2 tasks at once. The number grows while answers take as long as without load, up to --jobs and --per-host, and shrinks when they take longer, or after failures that are retried. If a host states a limit, give --host-rate as well.',
  }),
  /** Maximum rate for each lane: for HTTP, for each origin. Default: no limit. */
  hostRate: value<Rate>('maximum rate of starts per host', 'RATE', toRate),
  /**
   * Number or percentage of failed tasks at which the stage stops. A percentage is judged from 100 ended
   * tasks on.
   */
  maxFailures: value<Limit>(
    'stop taking tasks after N failures, or at N % failures (from 100 tasks on)',
    'N|N%',
    toLimit,
  ),
  /** Condition at which the stage stops: a number of successes or failures. */
  halt: value<Halt>(
    'stop after N successes or failures; now: kill running tasks, soon: let them finish',
    'now|soon,success|fail=N|N%',
    toHalt,
    {
      details:
        'For example, now,success=1 tries variants until one works, and soon,fail=3 gives up. A percentage is judged from 100 ended tasks on. Tasks that did not finish are PENDING. After success=N, the exit code is 0.',
    },
  ),
  unfinished: path('when stopped, write unfinished tasks to this file instead of the output'),
  /** Time that running tasks have to finish once the stage stops, in milliseconds. Default 10 s. */
  grace: duration('time that running tasks have to finish after a stop', {
    default: DEFAULTS.grace,
    defaultText: '10s',
  }),
  /** True to revert tasks that failed in this work or after it; all others are passed on. Default false. */
  revert: flag(
    'undo tasks that failed here or in a later stage: run the work for them, or the revert of a --module or --flow',
  ),
  dryRun: flag('print what would be done, and pass the tasks on as PENDING'),
  /**
   * Longest record to pass on, in bytes. A task whose record is longer fails, without its result. Default 16
   * MiB.
   */
  maxLine: size('maximum length of a record', { default: MAX_LINE, defaultText: '16MB' }),
};

/** Functions by which a stage and the program that drives it reach each other. */
export interface ExecHooks {
  /** Receives every change of a task's state, in order. */
  readonly notify?: Notify | undefined;
  /** Receives the handle of the stage, by which single tasks are cancelled. */
  readonly control?: ((stage: StageHandle) => void) | undefined;
}

/** Options of `exec()` that the command does not have, or has in another form. */
interface OwnExecOptions extends ExecHooks {
  /**
   * Called with a description of each task instead of running it; the command prints it. The task comes out as
   * PENDING.
   */
  readonly dryRun?: ((line: string) => void) | undefined;
  /** Receives the tasks that come out as PENDING, instead of the output. The command writes them to a file. */
  readonly unfinished?: ((task: Task) => void) | undefined;
  /** Returns what to wait for before more tasks start, while events of `notify` are waiting to be written. */
  readonly room?: (() => Promise<void> | undefined) | undefined;
  /** Options for added tasks: where they are kept, and which are finished. */
  readonly children?: ChildrenOptions | undefined;
  /** Limits of what tasks may cost; the stage closes them. The command makes them from its options. */
  readonly limits?: Limits | undefined;
  /** Called when a server asks for a pause of a lane, with the key of the lane and the time in milliseconds. */
  readonly paused?: ((lane: string, ms: number) => void) | undefined;
  /** Returns the lane of a task, in which limits count. Default: the lane of the executor, for HTTP the origin. */
  readonly lane?: ((task: Task) => string) | undefined;
  /** Signal to start no more tasks. Tasks that were read and are not finished come out as PENDING. */
  readonly stopping?: AbortSignal | undefined;
  /**
   * Set if the input ends on its own once `stopping` is aborted. The input is then read to its end, and the rest of
   * it comes out as PENDING. Default: reading stops.
   */
  readonly drains?: boolean | undefined;
  /** Signal to abort running tasks too. */
  readonly aborting?: AbortSignal | undefined;
}

/** Options of an executor stage, whatever its kind of work. */
export type ExecOptions = LibraryOptions<typeof execOptions, OwnExecOptions>;

/** Names of the options of `OwnExecOptions`. */
export const OWN_EXEC_OPTIONS: Names<OwnExecOptions> = {
  dryRun: true,
  unfinished: true,
  notify: true,
  control: true,
  room: true,
  children: true,
  limits: true,
  paused: true,
  lane: true,
  stopping: true,
  drains: true,
  aborting: true,
};

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid */
export function checkExecOptions(options: ExecOptions): void {
  checkOptions('exec()', options, execOptions, OWN_EXEC_OPTIONS);
  checkBatch({ ...options });
  if (options.delay !== undefined && options.rate !== undefined)
    throw new TaskpipeError('USAGE', '--delay and --rate both limit the starts; give one');
}

/** Returns the rate of starts: `delay` is one, too. */
export function rateOf({ delay, rate }: ExecOptions): Rate | undefined {
  return delay === undefined ? rate : { count: 1, per: delay };
}

function toKey(typed: string): string {
  if (typed === '' || typed === 'uuid' || typed === 'run')
    throw new InvalidValue('must be a name, and neither uuid nor run');
  return typed;
}
