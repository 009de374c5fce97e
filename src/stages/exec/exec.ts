import { setMaxListeners } from 'node:events';
import { isSettled, stateOf, type Task } from '../../core/record/task.ts';
import { type Backoff, backoffDelay } from '../../core/schedule/backoff.ts';
import type { Job } from '../../core/schedule/lanes/lane.ts';
import { OutputBatcher, ReorderBuffer } from '../../core/schedule/output-batcher.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import { Scheduler } from '../../core/schedule/scheduler.ts';
import { UnorderedPool } from '../../core/schedule/unordered-pool.ts';
import type { Child, Executor, Move, Outcome, RetryHint, StageControl } from '../../executors/contract.ts';
import { fromFunction, type Work } from '../../executors/from-function.ts';
import type { Report } from '../../reports/report.ts';
import { Account } from './account.ts';
import { mustTakeBatches } from './batch/batch-rules.ts';
import { Batcher } from './batch/batcher.ts';
import { Cancels } from './cancels.ts';
import { Children } from './children.ts';
import type { ExecCounts } from './contract.ts';
import { checkExecOptions, DEFAULTS, type ExecHooks, type ExecOptions } from './exec-options.ts';
import { isToRevert } from './finished-record.ts';
import { type Halt, isReached } from './halt.ts';
import type { Limits } from './limits/index.ts';

export type { ExecCounts } from './contract.ts';
export type { ExecOptions } from './exec-options.ts';

/** Tasks as they come out, in batches. */
export interface Execution extends AsyncIterable<readonly Task[]> {
  readonly counts: Readonly<ExecCounts>;
  /** Number of running attempts. */
  readonly running: number;
  /** Number of calls that these attempts are made by: fewer with batches. */
  readonly calls: number;
  /** Number of bytes that the work wrote to files so far; undefined if it writes none. */
  readonly bytes: number | undefined;
  /** Returns the report of the run so far. */
  report(): Report;
  /**
   * Ends the run without waiting, for a process whose event loop is blocked.
   * @param used number of records that the caller has dealt with
   * @param unread tasks that come after those which the run has read
   * @returns the other records: unfinished tasks are PENDING
   */
  abandon(used: number, unread: readonly Task[]): readonly Task[];
}

/** Maximum number of tasks to read ahead, so that a slow host does not hide the tasks of others. */
const WINDOW = 10_000;

/** Refusals of a task without a time to wait that do not count as retries. */
const FREE_REFUSALS = 3;

/**
 * Returns a stage that works on tasks: `exec(work, options)(tasks)`. It runs records without `run`, and those
 * whose `run` ended as SUCCESS or PENDING. A record that arrives as a failure passes unchanged.
 * @param work a function, or an executor such as `http()`; an executor is closed at the end
 * @returns the stage; the program that drives it may pass hooks of its own, besides those of `options`
 * @throws {TaskpipeError} `USAGE` if an option is invalid
 */
export function exec(
  work: Work | Executor,
  options: ExecOptions = {},
): (tasks: AsyncIterable<readonly Task[]>, hooks?: ExecHooks) => Execution {
  checkExecOptions(options);
  const executor = typeof work === 'function' ? fromFunction(work) : work;
  mustTakeBatches(executor, options.batch);
  return (tasks, hooks) => {
    const stage = new ExecStage(executor, withHooks(options, hooks));
    return {
      counts: stage.counts,
      get running() {
        return stage.running;
      },
      get calls() {
        return stage.calls;
      },
      get bytes() {
        return stage.bytes;
      },
      report: () => stage.report(),
      abandon: (used, unread) => stage.abandon(used, unread),
      [Symbol.asyncIterator]: () => stage.run(tasks),
    };
  };
}

/** Returns options with further hooks. */
function withHooks(options: ExecOptions, hooks: ExecHooks | undefined): ExecOptions {
  if (hooks === undefined) return options;
  const notify: ExecOptions['notify'] = (event) => {
    options.notify?.(event);
    hooks.notify?.(event);
  };
  const control: ExecOptions['control'] = (stage) => {
    options.control?.(stage);
    hooks.control?.(stage);
  };
  return { ...options, notify, control };
}

class ExecStage {
  readonly #executor: Executor;
  readonly #options: ExecOptions;
  readonly #outlet = new OutputBatcher({
    onRoom: () => {
      this.#onRoom?.();
      this.#startJobs();
    },
    isBusy: () => this.#running.size > 0,
  });
  readonly #order: ReorderBuffer | undefined;
  readonly #giveUp = new AbortController();
  readonly #children: Children | undefined;
  /** Tasks to give up; undefined if single tasks cannot be cancelled. */
  readonly #cancels: Cancels | undefined;
  /** Functions of the stage that the work may call. */
  readonly #control: StageControl = {
    stop: () => this.#stop(),
    done: (uuid) => this.#children?.done(uuid),
  };
  /** Batches of tasks; undefined if each call is for one task. */
  readonly #batcher: Batcher | undefined;
  readonly #as: string;
  readonly #account: Account;
  /** Jobs whose attempt is under way. */
  readonly #running = new UnorderedPool<Job>();
  /** Job whose work is being called. */
  #calling: Job | undefined;
  /** Jobs whose found tasks are being stored. */
  readonly #keeping = new Set<Job>();
  /** Batch of the input that the scheduler gets next, or has. */
  #coming: readonly Task[] = [];
  #isAbandoned = false;
  /** Called when the output has room, if the rest of the input waits for it. */
  #onRoom: (() => void) | undefined;
  #scheduler: Scheduler | undefined;
  #grace: NodeJS.Timeout | undefined;
  #isStopped = false;
  /** True while jobs wait until events are written. */
  #isWaiting = false;
  readonly #onError = (error: unknown): void => this.#outlet.end({ error });

  constructor(executor: Executor, options: ExecOptions) {
    this.#executor = executor;
    this.#options = options;
    setMaxListeners(0, this.#giveUp.signal); // each running job may listen
    this.#as = options.as ?? 'result';
    this.#account = new Account(options, this.#as);
    this.#children = executor.finds ? new Children(options.children ?? {}, this.counts) : undefined;
    this.#cancels = options.control === undefined ? undefined : new Cancels();
    if (this.#cancels !== undefined) options.control?.(this.#cancels);
    this.#batcher = this.#openBatcher();
    this.#order = options.keepOrder ? new ReorderBuffer((task) => this.#outlet.put(task)) : undefined;
  }

  #openBatcher(): Batcher | undefined {
    const { batch, jobs = DEFAULTS.jobs, retries = DEFAULTS.retries } = this.#options;
    if (batch === undefined) return undefined;
    const options = { ...this.#options, ...{ batch, jobs, retries }, rate: this.#rate };
    return new Batcher(this.#executor, options, {
      attempt: { signal: this.#giveUp.signal, stage: this.#control },
      ended: (job, outcome) => {
        if (this.#running.delete(job)) this.#conclude(job, outcome);
      },
      together: (settle) => this.#account.together(settle),
      dropped: (job) => {
        this.#running.delete(job);
        job.attempts--;
        this.#options.limits?.ended(job, undefined);
        this.#giveBack(job);
      },
      freed: () => this.#startJobs(),
      failed: this.#onError,
    });
  }

  get counts(): ExecCounts {
    return this.#account.counts;
  }

  get running(): number {
    return this.#running.size - (this.#batcher?.waiting ?? 0);
  }

  get calls(): number {
    return this.#batcher?.calls ?? this.#running.size;
  }

  get bytes(): number | undefined {
    return this.#executor.bytes;
  }

  async *run(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    const { stopping, aborting } = this.#options;
    const onStop = (): void => {
      this.#stop();
      if (this.counts.isOverBudget) this.#setGrace();
    };
    const onLeave = (): void => this.#leave();
    stopping?.addEventListener('abort', onStop);
    aborting?.addEventListener('abort', onLeave);
    const scheduler = this.#schedule(this.#noted(this.#children?.toDo(tasks) ?? tasks));
    this.#scheduler = scheduler;
    if (stopping?.aborted) this.#stop();
    try {
      yield* this.#outlet;
      this.#account.over(this.#isStopped ? 'stopped' : 'complete');
    } finally {
      this.#account.over('broken'); // unless it was over before
      stopping?.removeEventListener('abort', onStop);
      aborting?.removeEventListener('abort', onLeave);
      this.#leave();
      clearTimeout(this.#grace);
      await this.#executor.close();
      this.#options.limits?.close();
    }
  }

  report(): Report {
    const atoms = this.#executor.atomTimes?.() ?? [];
    const report = this.#account.report();
    const costs = this.#options.limits?.report(report.ms) ?? [];
    return { ...report, ...(atoms.length > 0 && { atoms }), ...(costs.length > 0 && { costs }) };
  }

  async *#noted(tasks: AsyncIterable<readonly Task[]>): AsyncGenerator<readonly Task[]> {
    for await (const batch of tasks) {
      this.#coming = batch;
      yield batch;
      if (!this.counts.isOverBudget || !this.#outlet.isFull) continue;
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  abandon(used: number, unread: readonly Task[]): readonly Task[] {
    this.#isStopped = true;
    this.#isAbandoned = true;
    this.#batcher?.stop();
    const scheduler = this.#scheduler as Scheduler;
    const waiting = scheduler.stop();
    if (this.#calling !== undefined) this.#giveBack(this.#calling);
    for (const job of [...this.#running, ...this.#keeping]) this.#giveBack(job);
    const coming = this.#coming === scheduler.latest ? [] : this.#coming;
    this.#passOn(waiting.concat([...coming, ...unread].map((task) => scheduler.late(task))));
    return this.#outlet.takeAll(used);
  }

  get #rate(): Rate | undefined {
    const { delay, rate } = this.#options;
    return delay === undefined ? rate : { count: 1, per: delay };
  }

  #schedule(tasks: AsyncIterable<readonly Task[]>): Scheduler {
    const { jobs: calls = DEFAULTS.jobs, hostRate, perHost } = this.#options;
    const executor = this.#executor;
    const laneOf = this.#options.lane ?? executor.lane?.bind(executor);
    const { limits } = this.#options;
    const order = this.#order;
    const batcher = this.#batcher;
    const jobs = batcher?.capacity ?? calls;
    // Batches gather tasks, too: with more, all of them would outlive the young generation of the heap.
    const ahead = batcher === undefined ? jobs * 2 : Math.min(jobs * 2, Math.max(jobs, 1000));
    const few = order === undefined ? ahead : jobs * 4;
    // With batches these limit calls, which the batcher starts.
    const rates = batcher === undefined ? { perHost, rate: this.#rate, hostRate } : {};
    return new Scheduler(tasks, {
      ...{ laneOf, ...rates, isAdaptive: this.#options.adaptive },
      get jobs() {
        return batcher?.latestCapacity ?? executor.capacity ?? jobs;
      },
      window: laneOf === undefined || order !== undefined ? few : WINDOW,
      held: order,
      gate: limits && ((job, now) => (this.#isCharged(job) ? limits.wait(job, now) : 0)),
      onReady: () => this.#startJobs(),
    });
  }

  /** Starts all jobs that may start. Synchronous work needs no promise for each task. */
  #startJobs(): void {
    const scheduler = this.#scheduler as Scheduler;
    const batcher = this.#batcher;
    batcher?.lookAtCapacity();
    while (!this.#outlet.isFull && !this.#isHeldUp && !batcher?.isFull && this.#hasRoom()) {
      const job = scheduler.take();
      if (job === undefined) break;
      if (job.goOn === undefined) this.#attempt(job);
      else job.goOn();
    }
    if (batcher !== undefined) {
      batcher.arrived();
      // Gathered tasks may hold the rest of a budget, for which all others wait.
      const { limits } = this.#options;
      const isHeld = Boolean(limits?.isHeld);
      if (scheduler.isDrained || this.#isHeldUp || (isHeld && batcher.isIdle)) batcher.flush();
      if (isHeld && limits?.isHeld === false) {
        this.#startJobs(); // a call that took no time gave something back
        return;
      }
    }
    if (this.#options.limits?.isOver === true) this.#endByLimit(this.#options.limits);
    if (scheduler.isDrained) this.#executor.drained?.();
    if (!scheduler.isOver) return;
    if (this.#isStopped && !this.#drains)
      this.#outlet.end(); // without waiting for the input
    else {
      scheduler.input.then(
        () => this.#outlet.end(),
        (error) => this.#outlet.end({ error }),
      );
    }
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

  /** Returns whether a job is an attempt that costs something, and not a record that is passed on or a part of one. */
  #isCharged({ task, goOn }: Job): boolean {
    const isPassedOn = this.#isPassedOn(task) || this.#children?.isDone(task.uuid) === true;
    return goOn === undefined && this.#options.dryRun === undefined && !isPassedOn;
  }

  #isPassedOn(task: Task): boolean {
    return this.#options.revert ? !isToRevert(task, this.#as) : isSettled(task);
  }

  /** Stops the stage, as a budget is used up; an error of its file ends it. */
  #endByLimit({ fault }: Limits): void {
    if (fault !== undefined) this.#outlet.end({ error: fault });
    this.counts.isOverBudget = true;
    this.#stop();
  }

  #attempt(job: Job): void {
    const { task } = job;
    const { dryRun } = this.#options;
    if (this.#isPassedOn(task)) {
      if (isSettled(task)) this.counts.passed++;
      this.#end(job, task, true);
    } else if (this.#children?.isDone(task.uuid)) {
      this.counts.known++;
      this.#end(job, undefined, true);
    } else if (dryRun !== undefined) {
      dryRun(this.#executor.describe(task, job.ordinal));
      this.#end(job, this.#account.pending(job), true); // without a run the record would count as done
    } else this.#try(job);
  }

  /** Makes an attempt. @param move its rest, if a part of it was made before */
  #try(job: Job, move?: Move): void {
    if (move === undefined) this.#account.begun(job);
    const dropped = this.#cancels?.outcomeFor(job) ?? this.#options.limits?.faultOf(job);
    if (dropped !== undefined) {
      this.#options.limits?.ended(job, undefined);
      this.#settle(job, dropped);
      return;
    }
    if (this.#batcher !== undefined) {
      this.#running.add(job);
      this.#batcher.add(job, this.#cancels?.begin(job));
      return;
    }
    const attempt = {
      number: job.attempts,
      ordinal: job.ordinal,
      signal: this.#giveUp.signal,
      cancelled: this.#cancels?.begin(job),
      mayMove: true,
      stage: this.#control,
    };
    let outcome: Outcome | Promise<Outcome>;
    this.#calling = job;
    try {
      outcome = move === undefined ? this.#executor.attempt(job.task, attempt) : move.goOn(attempt);
    } catch (error) {
      this.#outlet.end({ error });
      return;
    } finally {
      this.#calling = undefined;
    }
    if (!(outcome instanceof Promise)) {
      this.#conclude(job, outcome);
      return;
    }
    this.#running.add(job);
    outcome.then((settled) => this.#ended(job, settled), this.#onError);
  }

  /** Handles the end of an asynchronous attempt. */
  #ended(job: Job, outcome: Outcome): void {
    if (!this.#running.delete(job)) return; // given up meanwhile
    try {
      this.#conclude(job, outcome);
      this.#startJobs();
    } catch (error) {
      this.#onError(error);
    }
  }

  #conclude(job: Job, made: Outcome): void {
    const outcome = this.#cancels?.end(job, made) ?? made;
    const { retry, children, pause, moved } = outcome;
    if (this.#options.adaptive && moved === undefined && !outcome.isStored)
      this.#scheduler?.measured(job, retry !== undefined);
    if (pause !== undefined) {
      this.#scheduler?.hold(job, pause);
      this.#options.paused?.(job.lane.key, pause);
    }
    if (moved !== undefined) {
      this.#move(job, moved);
      return;
    }
    this.#options.limits?.ended(job, made);
    if (outcome.state === 'PENDING') {
      this.#giveBack(job);
      return;
    }
    if (retry !== undefined) {
      if (this.#retry(job, outcome, retry)) return;
      if (this.#isStopped) {
        this.#giveBack(job);
        return;
      }
    }
    if (children !== undefined && outcome.error === undefined) void this.#keep(job, outcome, children);
    else this.#settle(job, outcome);
  }

  /** Makes the rest of an attempt when its lane has room; after a stop, at once. */
  #move(job: Job, move: Move): void {
    const goOn = (): void => {
      job.goOn = undefined;
      this.#try(job, move);
    };
    if (this.#isStopped) {
      goOn();
      return;
    }
    job.goOn = goOn;
    (this.#scheduler as Scheduler).move(job, move.lane);
  }

  /** Keeps the tasks that a job has found, before its own record goes out. */
  async #keep(job: Job, outcome: Outcome, children: readonly Child[]): Promise<void> {
    this.#keeping.add(job);
    try {
      const fresh = await (this.#children as Children).keep(children);
      this.#keeping.delete(job);
      const scheduler = this.#scheduler as Scheduler;
      // Reversed, so that they keep their order at the front.
      for (const { task } of fresh.filter(({ front }) => front).reverse()) scheduler.insert(task, true);
      for (const { task, front } of fresh) if (!front) scheduler.insert(task, false);
      if (this.#isStopped) this.#passOn(scheduler.stop());
      this.#settle(job, outcome);
      this.#startJobs();
    } catch (error) {
      this.#outlet.end({ error });
    }
  }

  #settle(job: Job, outcome: Outcome): void {
    const task = this.#account.settled(job, outcome);
    this.#end(job, task, outcome.error === undefined);
    if (this.#isStopped) return;
    const { maxFailures, halt } = this.#options;
    const isFailure = outcome.error !== undefined;
    if (isFailure && maxFailures !== undefined && isReached(this.counts, 'fail', maxFailures)) {
      this.counts.hasTooManyFailures = true;
      this.#stop();
    } else if (halt !== undefined && isFailure === (halt.what === 'fail')) this.#haltIf(halt);
  }

  #haltIf({ when, what, limit }: Halt): void {
    if (!isReached(this.counts, what, limit)) return;
    this.counts.isReached = what === 'success';
    if (when === 'now') this.#leave();
    else this.#stop();
  }

  /** Ends a job. @param task its record; undefined if nothing is passed on */
  #end(job: Job, task: Task | undefined, succeeded: boolean): void {
    (this.#scheduler as Scheduler).finish(job, succeeded);
    this.#emit(job, task);
  }

  /** Schedules another attempt. Returns false if no retries are left, or the stage has stopped. */
  #retry(job: Job, outcome: Outcome, hint: RetryHint): boolean {
    const { retries = DEFAULTS.retries, backoff = DEFAULTS.backoff } = this.#options;
    const { after = 0 } = hint;
    const scheduler = this.#scheduler as Scheduler;
    if (this.#isStopped) return false;
    const isFree = hint.hasProgress === true && retries > 0;
    if (!isFree && this.#counts(job, hint, backoff)) job.countedAttempts++;
    if (hint.pauseLane) this.#batcher?.spare(job.lane);
    if (job.countedAttempts > retries) return false;
    this.#account.retried(job, outcome);
    scheduler.again(job, after + backoffDelay(Math.max(1, job.countedAttempts), backoff));
    return true;
  }

  /**
   * Pauses the lane if the server asks for it. Returns whether the attempt counts as a retry: of a burst that a host
   * refuses, only the first; without a time to wait, not the first few of a task, which find out how long that is.
   */
  #counts(job: Job, { after, pauseLane = false }: RetryHint, backoff: Backoff): boolean {
    const scheduler = this.#scheduler as Scheduler;
    if (!pauseLane) return true;
    if (after !== undefined) {
      this.#options.paused?.(job.lane.key, after);
      return scheduler.pause(job, after);
    }
    return scheduler.refuse(job, backoff) && job.attempts - job.countedAttempts > FREE_REFUSALS;
  }

  /** Ends a running job without finishing its task. */
  #giveBack(job: Job): void {
    this.#options.limits?.ended(job, {}); // it may have cost something
    this.#options.limits?.left(job.task);
    this.#end(job, this.#account.givenBack(job), false);
  }

  #emit(job: Job, task: Task | undefined): void {
    const { unfinished } = this.#options;
    const isKept =
      task !== undefined && unfinished !== undefined && !this.#isAbandoned && stateOf(task) === 'PENDING';
    if (isKept) unfinished(task);
    const shown = isKept ? undefined : task;
    if (this.#order !== undefined) {
      this.#order.put(job.ordinal, shown);
      this.#scheduler?.release();
    } else if (shown !== undefined) this.#outlet.put(shown);
  }

  /** True if the rest of the input is still read and passed on after a stop. */
  get #drains(): boolean {
    const { drains = false, stopping } = this.#options;
    return drains && (stopping?.aborted === true || this.counts.isOverBudget);
  }

  /** Starts no more tasks, and gives running ones the grace period to finish. */
  #stop(): void {
    if (this.#isStopped || this.#scheduler === undefined) return;
    this.#isStopped = true;
    this.#batcher?.stop();
    const letOut = (job: Job): void => this.#passOn([job]);
    const waiting = this.#scheduler.stop(this.#drains ? letOut : undefined);
    this.#passOn(waiting.filter(({ goOn }) => goOn === undefined));
    for (const job of waiting) {
      if (job.goOn === undefined) continue;
      this.#scheduler.begin(job); // a part of the attempt was made, so it counts as running
      job.goOn();
    }
    // What runs at the end of a budget is paid for.
    if (!this.counts.isOverBudget) this.#setGrace();
    this.#startJobs();
  }

  #setGrace(): void {
    this.#grace ??= setTimeout(() => this.#leave(), this.#options.grace ?? DEFAULTS.grace);
  }

  /** Passes on jobs that have not begun, or that wait for a retry. */
  #passOn(jobs: readonly Job[]): void {
    for (const job of jobs) {
      if (this.#isCharged(job)) this.#options.limits?.left(job.task);
      this.#emit(job, this.#account.dropped(job));
    }
  }

  /**
   * True if enough is held back for `--keep-order` while the task that all wait for runs. If that task waits for a retry,
   * others start: only the scheduler can say which job is next.
   */
  get #isHeldUp(): boolean {
    const order = this.#order;
    if (!order?.isFull) return false;
    for (const { ordinal } of this.#running) if (ordinal === order.next) return true;
    return false;
  }

  /** Gives up running tasks; they come out unfinished. */
  #leave(): void {
    this.#stop();
    this.#giveUp.abort();
    for (const job of this.#running) this.#giveBack(job);
    this.#running.clear();
    this.#startJobs();
  }
}
