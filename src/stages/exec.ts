import type { Job } from '../core/lane.ts';
import { isOver, MAX_LINE } from '../core/lines.ts';
import { Order, Outlet } from '../core/outlet.ts';
import type { Rate } from '../core/rate.ts';
import { type Backoff, backoffDelay } from '../core/retry.ts';
import { Scheduler } from '../core/scheduler.ts';
import { type Failure, type Run, runOf, type Task, withOutcome } from '../core/task.ts';
import type { Executor, Outcome, Retry } from '../executors/executor.ts';
import { fromFunction, type Work } from '../executors/function.ts';

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
  /** The key that the result stands under. Default `result`. */
  readonly as?: string | undefined;
  /** Passes tasks on as they are, and tells what would be done. */
  readonly dryRun?: ((words: string) => void) | undefined;
  /** Takes the tasks that were not finished, in place of the output. */
  readonly unfinished?: ((task: Task) => void) | undefined;
  /** How long what runs may go on after `stopping`, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Starts no more; what was read and not finished comes out as PENDING. */
  readonly stopping?: AbortSignal | undefined;
  /** Gives up what runs, too. */
  readonly leaving?: AbortSignal | undefined;
  /** The longest record to let out, in bytes; the result of a longer one is left out, and it fails. Default 16 MiB. */
  readonly maxLine?: number | undefined;
}

/** What a stage has done so far. */
export interface ExecCounts {
  succeeded: number;
  failed: number;
  /** Passed on as PENDING. */
  pending: number;
  /** Arrived as FAILURE or REVERTED, and were passed on untouched. */
  passed: number;
  /** Attempts beyond the first. */
  retries: number;
  /** Failures by code. */
  readonly causes: Map<string, number>;
  /** Whether it was stopped by `maxFailures`. */
  hasTooManyFailures: boolean;
}

/** Tasks as they come out, in batches. */
export interface Execution extends AsyncIterable<readonly Task[]> {
  readonly counts: Readonly<ExecCounts>;
}

/** How many tasks are read ahead to find work for other hosts than the one that is slow. */
const WINDOW = 10_000;

/**
 * A stage that works on tasks: `exec(work, options)(tasks)`. It runs records without `run`, and those whose `run`
 * ended as SUCCESS or PENDING; what arrives as a failure it passes on untouched.
 * @param work a function, or an executor such as `http()`; an executor is closed at the end
 */
export function exec(
  work: Work | Executor,
  options: ExecOptions = {},
): (tasks: AsyncIterable<readonly Task[]>) => Execution {
  const executor = typeof work === 'function' ? fromFunction(work) : work;
  return (tasks) => {
    const stage = new ExecStage(executor, options);
    return { counts: stage.counts, [Symbol.asyncIterator]: () => stage.run(tasks) };
  };
}

class ExecStage {
  readonly counts: ExecCounts = {
    ...{ succeeded: 0, failed: 0, pending: 0, passed: 0, retries: 0 },
    causes: new Map(),
    hasTooManyFailures: false,
  };
  readonly #executor: Executor;
  readonly #options: ExecOptions;
  readonly #outlet = new Outlet(() => this.#startJobs());
  readonly #order: Order | undefined;
  readonly #giveUp = new AbortController();
  /** Jobs whose attempt is under way. */
  readonly #running = new Set<Job>();
  #scheduler: Scheduler | undefined;
  #grace: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(executor: Executor, options: ExecOptions) {
    this.#executor = executor;
    this.#options = options;
    this.#order = options.keepOrder ? new Order((task) => this.#outlet.put(task)) : undefined;
  }

  async *run(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    const { stopping, leaving } = this.#options;
    const onStop = (): void => this.#stop();
    const onLeave = (): void => this.#leave();
    stopping?.addEventListener('abort', onStop);
    leaving?.addEventListener('abort', onLeave);
    const scheduler = this.#schedule(tasks);
    this.#scheduler = scheduler;
    if (stopping?.aborted) this.#stop();
    try {
      yield* this.#outlet;
    } finally {
      stopping?.removeEventListener('abort', onStop);
      leaving?.removeEventListener('abort', onLeave);
      this.#leave();
      clearTimeout(this.#grace);
      await this.#executor.close();
    }
  }

  #schedule(tasks: AsyncIterable<readonly Task[]>): Scheduler {
    const { jobs = 10, rate, laneRate, perLane } = this.#options;
    const laneOf = this.#executor.lane?.bind(this.#executor);
    const few = this.#order === undefined ? jobs * 2 : jobs * 4;
    return new Scheduler(tasks, {
      ...{ jobs, laneOf, perLane, rate, laneRate },
      window: laneOf === undefined || this.#order !== undefined ? few : WINDOW,
      held: () => this.#order?.held ?? 0,
      onReady: () => this.#startJobs(),
    });
  }

  /** Starts what may be started. Where the work is synchronous, no promise is made for a task. */
  #startJobs(): void {
    const scheduler = this.#scheduler as Scheduler;
    while (!this.#outlet.isFull) {
      const job = scheduler.take();
      if (job === undefined) break;
      this.#attempt(job);
    }
    if (!scheduler.isOver) return;
    if (this.#isStopped)
      this.#outlet.end(); // whatever the input may still do
    else {
      scheduler.input.then(
        () => this.#outlet.end(),
        (error) => this.#outlet.end({ error }),
      );
    }
  }

  #attempt(job: Job): void {
    const { task } = job;
    const isPassed = isSettled(task);
    if (isPassed || this.#options.dryRun !== undefined) {
      if (isPassed) this.counts.passed++;
      else this.#options.dryRun?.(this.#executor.describe(task));
      this.#end(job, task, true);
      return;
    }
    if (job.attempts++ === 0) job.began = Date.now();
    const outcome = this.#executor.attempt(task, { number: job.attempts, signal: this.#giveUp.signal });
    if (!(outcome instanceof Promise)) {
      this.#conclude(job, outcome);
      return;
    }
    this.#running.add(job);
    const conclude = (settled: Outcome): void => {
      if (!this.#running.delete(job)) return; // given up meanwhile
      this.#conclude(job, settled);
      this.#startJobs();
    };
    outcome.then(conclude).catch((error) => this.#outlet.end({ error }));
  }

  #conclude(job: Job, { error, result, retry }: Outcome): void {
    if (retry !== undefined) {
      if (this.#retry(job, retry)) return;
      if (this.#isStopped) {
        this.#end(job, this.#pending(job), false);
        return;
      }
    }
    let why = error;
    let task = this.#finished(job, why, result);
    if (isOver(task.line, this.#options.maxLine ?? MAX_LINE)) {
      why = { code: 'RESULT_TOO_LONG', message: 'the record with its result is longer than --max-line' };
      task = this.#finished(job, why, undefined);
    }
    this.#end(job, task, why === undefined);
    this.#count(why);
  }

  #end(job: Job, task: Task, succeeded: boolean): void {
    (this.#scheduler as Scheduler).finish(job, succeeded);
    this.#emit(job, task);
  }

  /** Has a job tried again, where there are retries left. */
  #retry(job: Job, { after = 0, pauseLane = false }: Retry): boolean {
    const { retries = 3, backoff = BACKOFF } = this.#options;
    const scheduler = this.#scheduler as Scheduler;
    if (this.#isStopped) return false;
    // Of a burst that a host refuses, only the first answer counts against a task.
    const counts = pauseLane ? scheduler.pause(job, after) : true;
    if (counts) job.counted++;
    if (job.counted > retries) return false;
    this.counts.retries++;
    scheduler.again(job, after + backoffDelay(Math.max(1, job.counted), backoff));
    return true;
  }

  #finished(job: Job, error: Failure | undefined, result: string | undefined): Task {
    return withOutcome(
      job.task,
      this.#runOf(job, error === undefined ? 'SUCCESS' : 'FAILURE', error),
      result,
    );
  }

  #runOf({ attempts, began }: Job, state: Run['state'], error?: Failure): Run {
    const now = Date.now();
    const at = attempts === 0 ? now : began;
    const { as = 'result' } = this.#options;
    return {
      state,
      as,
      attempts,
      at: timestamp(at),
      ms: now - at,
      ...(error === undefined ? {} : { error }),
    };
  }

  #count(error: Failure | undefined): void {
    const { counts } = this;
    if (error === undefined) counts.succeeded++;
    else {
      counts.failed++;
      counts.causes.set(error.code, (counts.causes.get(error.code) ?? 0) + 1);
      if (!this.#isStopped && this.#hasTooManyFailures()) {
        counts.hasTooManyFailures = true;
        this.#stop();
      }
    }
  }

  #hasTooManyFailures(): boolean {
    const { maxFailures } = this.#options;
    const { failed, succeeded } = this.counts;
    if (maxFailures === undefined) return false;
    if ('count' in maxFailures) return failed >= maxFailures.count;
    const all = failed + succeeded;
    return all >= FIRST_JUDGED && failed * 100 >= maxFailures.percent * all;
  }

  #pending(job: Job): Task {
    this.counts.pending++;
    return withOutcome(job.task, this.#runOf(job, 'PENDING'), undefined);
  }

  #emit(job: Job, task: Task): void {
    const { unfinished } = this.#options;
    const isKept = unfinished !== undefined && runOf(task.fields)?.state === 'PENDING';
    if (isKept) unfinished(task);
    if (this.#order !== undefined) {
      this.#order.put(job.ordinal, isKept ? undefined : task);
      this.#scheduler?.release();
    } else if (!isKept) this.#outlet.put(task);
  }

  /** Starts no more; what runs has the grace to finish. */
  #stop(): void {
    if (this.#isStopped || this.#scheduler === undefined) return;
    this.#isStopped = true;
    for (const job of this.#scheduler.stop())
      this.#emit(job, isSettled(job.task) ? job.task : this.#pending(job));
    this.#grace = setTimeout(() => this.#leave(), this.#options.grace ?? 10_000);
    this.#startJobs();
  }

  /** Gives up what runs: it comes out as PENDING. */
  #leave(): void {
    this.#stop();
    this.#giveUp.abort();
    for (const job of this.#running) this.#end(job, this.#pending(job), false);
    this.#running.clear();
    this.#startJobs();
  }
}

const BACKOFF: Backoff = { min: 500, max: 30_000 };

/** How many tasks must be done before `--max-failures 5%` is judged. */
const FIRST_JUDGED = 100;

/** Whether a task arrives as one that is not to be run: it failed before, or was taken back. */
function isSettled(task: Task): boolean {
  const state = runOf(task.fields)?.state;
  return state !== undefined && state !== 'SUCCESS' && state !== 'PENDING';
}

let lastTime = Number.NaN;
let lastStamp = '';

/** A time in ISO 8601; thousands of tasks share a millisecond. */
function timestamp(time: number): string {
  if (time !== lastTime) {
    lastTime = time;
    lastStamp = new Date(time).toISOString();
  }
  return lastStamp;
}
