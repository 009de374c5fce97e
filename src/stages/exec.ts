import type { Job } from '../core/lane.ts';
import { isOver, MAX_LINE } from '../core/lines.ts';
import { Order, Outlet } from '../core/outlet.ts';
import { backoffDelay } from '../core/retry.ts';
import { Scheduler } from '../core/scheduler.ts';
import { type Failure, isSettled, type Run, runOf, type Task, timestamp, withOutcome } from '../core/task.ts';
import type { Executor, Outcome, Retry } from '../executors/executor.ts';
import { fromFunction, type Work } from '../executors/function.ts';
import {
  checkExecOptions,
  DEFAULTS,
  type ExecCounts,
  type ExecOptions,
  hasTooManyFailures,
} from './exec-options.ts';

export type { ExecCounts, ExecOptions } from './exec-options.ts';

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
 * @throws {TaskpipeError} `USAGE`, for an option that breaks its rule
 */
export function exec(
  work: Work | Executor,
  options: ExecOptions = {},
): (tasks: AsyncIterable<readonly Task[]>) => Execution {
  checkExecOptions(options);
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
    const { jobs = DEFAULTS.jobs, rate, laneRate, perLane } = this.#options;
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
    if (this.#isStopped && !this.#drains)
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
    if (isSettled(task)) {
      this.counts.passed++;
      this.#end(job, task, true);
    } else if (this.#options.dryRun !== undefined) {
      this.#options.dryRun(this.#executor.describe(task));
      this.#end(job, this.#pending(job), true); // not as it came: without a run it would pass for done
    } else this.#try(job);
  }

  #try(job: Job): void {
    if (job.attempts++ === 0) job.began = Date.now();
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = this.#executor.attempt(job.task, { number: job.attempts, signal: this.#giveUp.signal });
    } catch (error) {
      this.#outlet.end({ error });
      return;
    }
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
    const { retries = DEFAULTS.retries, backoff = DEFAULTS.backoff } = this.#options;
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
      if (!this.#isStopped && hasTooManyFailures(counts, this.#options.maxFailures)) {
        counts.hasTooManyFailures = true;
        this.#stop();
      }
    }
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

  /** Whether what still comes of the input is let out, too. */
  get #drains(): boolean {
    const { drains = false, stopping } = this.#options;
    return drains && stopping?.aborted === true;
  }

  /** Starts no more; what runs has the grace to finish. */
  #stop(): void {
    if (this.#isStopped || this.#scheduler === undefined) return;
    this.#isStopped = true;
    const letOut = (job: Job): void => this.#emit(job, isSettled(job.task) ? job.task : this.#pending(job));
    this.#scheduler.stop(this.#drains ? letOut : undefined).forEach(letOut);
    this.#grace = setTimeout(() => this.#leave(), this.#options.grace ?? DEFAULTS.grace);
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
