import type { Task } from '../../../core/record/task.ts';
import { Scheduler } from '../../../core/schedule/scheduler.ts';
import type { Executor } from '../../../executors/contract.ts';
import type { Report } from '../../../reports/report.ts';
import { Account } from '../account.ts';
import { Children } from '../children.ts';
import type { ExecCounts, Execution } from '../contract.ts';
import { DEFAULTS, type ExecOptions, rateOf } from '../exec-options.ts';
import type { Limits } from '../limits/index.ts';
import { ExecOutput } from './exec-output.ts';
import { JobLifecycle } from './job-lifecycle.ts';

/** Maximum number of tasks to read ahead, so that a slow host does not hide the tasks of others. */
const WINDOW = 10_000;

/** A run of a stage, from its first task to its end: starts jobs as the scheduler allows, and stops. */
export class ExecStage implements Execution {
  readonly #executor: Executor;
  readonly #options: ExecOptions;
  readonly #tasks: AsyncIterable<readonly Task[]>;
  readonly #account: Account;
  readonly #children: Children | undefined;
  readonly #output: ExecOutput;
  readonly #jobs: JobLifecycle;
  #scheduler: Scheduler | undefined;
  /** Batch of the input that the scheduler gets next, or has. */
  #coming: readonly Task[] = [];
  /** True while jobs wait until events are written. */
  #isWaiting = false;
  #grace: NodeJS.Timeout | undefined;
  readonly #onError = (error: unknown): void => this.#output.end({ error });

  constructor(executor: Executor, options: ExecOptions, tasks: AsyncIterable<readonly Task[]>) {
    this.#executor = executor;
    this.#options = options;
    this.#tasks = tasks;
    this.#account = new Account(options);
    this.#children = executor.finds ? new Children(options.children ?? {}, this.counts) : undefined;
    this.#output = new ExecOutput(options, {
      onRoom: () => this.#startJobs(),
      isBusy: () => !this.#jobs.attempts.isIdle,
    });
    this.#jobs = new JobLifecycle(options, {
      ...{ executor, account: this.#account, children: this.#children, output: this.#output },
      end: (when) => (when === 'now' ? this.#leave() : this.#stop()),
      freed: () => this.#startJobs(),
      failed: this.#onError,
    });
  }

  get counts(): ExecCounts {
    return this.#account.counts;
  }

  get running(): number {
    return this.#jobs.attempts.running;
  }

  get calls(): number {
    return this.#jobs.attempts.calls;
  }

  get bytes(): number | undefined {
    return this.#executor.bytes;
  }

  report(): Report {
    const atoms = this.#executor.atomTimes?.() ?? [];
    const report = this.#account.report();
    const costs = this.#options.limits?.report(report.ms) ?? [];
    return { ...report, ...(atoms.length > 0 && { atoms }), ...(costs.length > 0 && { costs }) };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Task[]> {
    const { stopping, aborting, limits } = this.#options;
    const onStop = (): void => {
      this.#stop();
      if (this.counts.isOverBudget) this.#setGrace();
    };
    const onLeave = (): void => this.#leave();
    stopping?.addEventListener('abort', onStop);
    aborting?.addEventListener('abort', onLeave);
    this.#scheduler = this.#schedule(this.#noted(this.#children?.toDo(this.#tasks) ?? this.#tasks));
    this.#jobs.begin(this.#scheduler);
    if (stopping?.aborted) this.#stop();
    try {
      yield* this.#output;
      this.#account.over(this.#jobs.isStopped ? 'stopped' : 'complete');
    } finally {
      this.#account.over('broken'); // unless it was over before
      stopping?.removeEventListener('abort', onStop);
      aborting?.removeEventListener('abort', onLeave);
      this.#leave();
      clearTimeout(this.#grace);
      await this.#executor.close();
      limits?.close();
    }
  }

  /** Notes the batches of the input. At the end of a budget, reading waits for room in the output. */
  async *#noted(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    for await (const batch of tasks) {
      this.#coming = batch;
      yield batch;
      if (this.counts.isOverBudget && this.#output.isFull) await this.#output.room();
    }
  }

  #schedule(tasks: AsyncIterable<readonly Task[]>): Scheduler {
    const { jobs: calls = DEFAULTS.jobs, hostRate, perHost, lane, limits, adaptive } = this.#options;
    const executor = this.#executor;
    const { batcher } = this.#jobs.attempts;
    const { order } = this.#output;
    const laneOf = lane ?? executor.lane?.bind(executor);
    const jobs = batcher?.capacity ?? calls;
    // Batches gather tasks, too: with more, all of them would outlive the young generation of the heap.
    const ahead = batcher === undefined ? jobs * 2 : Math.min(jobs * 2, Math.max(jobs, 1000));
    const few = order === undefined ? ahead : jobs * 4;
    // With batches these limit calls, which the batcher starts.
    const rates = batcher === undefined ? { perHost, rate: rateOf(this.#options), hostRate } : {};
    return new Scheduler(tasks, {
      ...{ laneOf, ...rates, isAdaptive: adaptive },
      get jobs() {
        return batcher?.latestCapacity ?? executor.capacity ?? jobs;
      },
      window: laneOf === undefined || order !== undefined ? few : WINDOW,
      held: order,
      gate: limits && ((job, now) => (this.#jobs.isCharged(job) ? limits.wait(job, now) : 0)),
      onReady: () => this.#startJobs(),
    });
  }

  /** Starts all jobs that may start, and ends the output after the last one. */
  #startJobs(): void {
    const scheduler = this.#scheduler as Scheduler;
    const { batcher } = this.#jobs.attempts;
    const { limits } = this.#options;
    batcher?.lookAtCapacity();
    while (!this.#output.isFull && !this.#isHeldUp && !batcher?.isFull && this.#hasRoom()) {
      const job = scheduler.take();
      if (job === undefined) break;
      this.#jobs.start(job);
    }
    if (batcher !== undefined) {
      batcher.arrived();
      // Gathered tasks may hold the rest of a budget, for which all others wait.
      const isHeld = Boolean(limits?.isHeld);
      if (scheduler.isDrained || this.#isHeldUp || (isHeld && batcher.isIdle)) batcher.flush();
      if (isHeld && limits?.isHeld === false) {
        this.#startJobs(); // a call that took no time gave something back
        return;
      }
    }
    if (limits?.isOver === true) this.#endByLimit(limits);
    if (scheduler.isDrained) this.#executor.drained?.();
    if (!scheduler.isOver) return;
    if (this.#jobs.isStopped && !this.#drains)
      this.#output.end(); // without waiting for the input
    else scheduler.input.then(() => this.#output.end(), this.#onError);
  }

  /**
   * True if enough is held back for `--keep-order` while the task that all wait for runs. If that task waits for a retry,
   * others start: only the scheduler can say which job is next.
   */
  get #isHeldUp(): boolean {
    const { order } = this.#output;
    return order?.isFull === true && this.#jobs.attempts.has(order.next);
  }

  /** Returns false while events wait to be written; jobs are started when they are. */
  #hasRoom(): boolean {
    if (this.#options.room === undefined) return true;
    if (this.#isWaiting) return false;
    const room = this.#options.room();
    if (room === undefined) return true;
    this.#isWaiting = true;
    room.then(() => {
      this.#isWaiting = false;
      this.#startJobs();
    }, this.#onError);
    return false;
  }

  /** Stops the stage, as a budget is used up; an error of its file ends it. */
  #endByLimit({ fault }: Limits): void {
    if (fault !== undefined) this.#onError(fault);
    this.counts.isOverBudget = true;
    this.#stop();
  }

  /** Starts no more tasks, and gives running ones the grace period to finish. */
  #stop(): void {
    if (this.#jobs.isStopped || this.#scheduler === undefined) return;
    this.#jobs.stop(this.#drains);
    // What runs at the end of a budget is paid for.
    if (!this.counts.isOverBudget) this.#setGrace();
    this.#startJobs();
  }

  /** True if the rest of the input is still read and passed on after a stop. */
  get #drains(): boolean {
    const { drains = false, stopping } = this.#options;
    return drains && (stopping?.aborted === true || this.counts.isOverBudget);
  }

  #setGrace(): void {
    this.#grace ??= setTimeout(() => this.#leave(), this.#options.grace ?? DEFAULTS.grace);
  }

  /** Gives up running tasks; they come out unfinished. */
  #leave(): void {
    this.#stop();
    this.#jobs.giveUp();
    this.#startJobs();
  }

  abandon(used: number, unread: readonly Task[]): readonly Task[] {
    const coming = this.#coming === this.#scheduler?.latest ? [] : this.#coming;
    this.#output.abandon();
    this.#jobs.abandon([...coming, ...unread]);
    return this.#output.takeAll(used);
  }
}
