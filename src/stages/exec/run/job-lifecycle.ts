import { isSettled, type Task } from '../../../core/record/task.ts';
import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { Scheduler } from '../../../core/schedule/scheduler.ts';
import type { Child, Executor, Move, Outcome, RetryHint } from '../../../executors/contract.ts';
import type { Account } from '../account.ts';
import { Cancels } from '../cancels.ts';
import type { Children } from '../children.ts';
import type { ExecOptions } from '../exec-options.ts';
import { isToRevert } from '../finished-record.ts';
import { type Halt, haltAfter } from '../halt.ts';
import type { Limits } from '../limits/index.ts';
import { Attempts } from './attempts.ts';
import type { ExecOutput } from './exec-output.ts';
import { retryAfter } from './retries.ts';

/** Parts of a stage that its jobs need. */
export interface StageParts {
  readonly executor: Executor;
  readonly account: Account;
  /** Tasks that the work finds; undefined if it finds none. */
  readonly children: Children | undefined;
  readonly output: ExecOutput;
  /** Ends the stage before the end of its input; `now` gives up what runs. */
  readonly end: (when: Halt['when']) => void;
  /** Starts jobs that may start, after one has ended. */
  readonly freed: () => void;
  /** Ends the stage with an error. */
  readonly failed: (error: unknown) => void;
}

/** Life of the jobs of a stage: their start, attempts and retries, and the records by which they end. */
export class JobLifecycle {
  readonly attempts: Attempts;
  /** True once no more jobs start. */
  isStopped = false;
  readonly #options: ExecOptions;
  readonly #parts: StageParts;
  readonly #limits: Limits | undefined;
  /** Tasks to give up; undefined if single tasks cannot be cancelled. */
  readonly #cancels: Cancels | undefined;
  /** Jobs whose found tasks are being stored. */
  readonly #keeping = new Set<Job>();
  #scheduler: Scheduler | undefined;

  constructor(options: ExecOptions, parts: StageParts) {
    const { executor, account, children, end, freed, failed } = parts;
    this.#options = options;
    this.#parts = parts;
    this.#limits = options.limits;
    this.#cancels = options.control === undefined ? undefined : new Cancels();
    if (this.#cancels !== undefined) options.control?.(this.#cancels);
    this.attempts = new Attempts(executor, options, {
      control: { stop: () => end('soon'), done: (uuid) => children?.done(uuid) },
      ended: (job, outcome) => this.#conclude(job, outcome),
      together: (settle) => account.together(settle),
      dropped: (job) => {
        job.attempts--;
        this.#limits?.ended(job, undefined);
        this.#giveBack(job);
      },
      freed,
      failed,
    });
  }

  /** Sets the scheduler that the jobs come from. */
  begin(scheduler: Scheduler): void {
    this.#scheduler = scheduler;
  }

  /** Starts a job: makes an attempt or the rest of one, or passes its record on. */
  start(job: Job): void {
    const { task } = job;
    const { executor, account, children } = this.#parts;
    const { dryRun } = this.#options;
    if (job.goOn !== undefined) job.goOn();
    else if (this.#isPassedOn(task)) {
      if (isSettled(task)) account.counts.passed++;
      this.#end(job, task, true);
    } else if (children?.isDone(task.uuid)) {
      account.counts.known++;
      this.#end(job, undefined, true);
    } else if (dryRun !== undefined) {
      dryRun(executor.describe(task, job.ordinal));
      this.#end(job, account.pending(job), true); // without a run the record would count as done
    } else this.#attempt(job);
  }

  /** Returns whether a job is an attempt that costs something, and not a record that is passed on or a part of one. */
  isCharged({ task, goOn }: Job): boolean {
    const isPassedOn = this.#isPassedOn(task) || this.#parts.children?.isDone(task.uuid) === true;
    return goOn === undefined && this.#options.dryRun === undefined && !isPassedOn;
  }

  #isPassedOn(task: Task): boolean {
    return this.#options.revert ? !isToRevert(task, this.#parts.account.as) : isSettled(task);
  }

  /** Makes an attempt. @param move its rest, if a part of it was made before */
  #attempt(job: Job, move?: Move): void {
    if (move === undefined) this.#parts.account.begun(job);
    const dropped = this.#cancels?.outcomeFor(job) ?? this.#limits?.faultOf(job);
    if (dropped === undefined) {
      this.attempts.make(job, this.#cancels?.begin(job), move);
      return;
    }
    this.#limits?.ended(job, undefined);
    this.#settle(job, dropped);
  }

  /** Handles the outcome of an attempt. */
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
    this.#limits?.ended(job, made);
    if (outcome.state === 'PENDING') {
      this.#giveBack(job);
      return;
    }
    if (retry !== undefined) {
      if (this.#retry(job, outcome, retry)) return;
      if (this.isStopped) {
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
      this.#attempt(job, move);
    };
    if (this.isStopped) {
      goOn();
      return;
    }
    job.goOn = goOn;
    (this.#scheduler as Scheduler).move(job, move.lane);
  }

  /** Schedules another attempt. Returns false if no retries are left, or the stage has stopped. */
  #retry(job: Job, outcome: Outcome, hint: RetryHint): boolean {
    if (this.isStopped) return false;
    const scheduler = this.#scheduler as Scheduler;
    const wait = retryAfter(job, hint, scheduler, this.#options);
    if (hint.pauseLane) this.attempts.batcher?.spare(job.lane);
    if (wait === undefined) return false;
    this.#parts.account.retried(job, outcome);
    scheduler.again(job, wait);
    return true;
  }

  /** Keeps the tasks that a job has found, before its own record goes out. */
  async #keep(job: Job, outcome: Outcome, found: readonly Child[]): Promise<void> {
    const { children, freed, failed } = this.#parts;
    this.#keeping.add(job);
    try {
      const fresh = await (children as Children).keep(found);
      this.#keeping.delete(job);
      const scheduler = this.#scheduler as Scheduler;
      // Reversed, so that they keep their order at the front.
      for (const { task } of fresh.filter(({ front }) => front).reverse()) scheduler.insert(task, true);
      for (const { task, front } of fresh) if (!front) scheduler.insert(task, false);
      if (this.isStopped) this.#passOn(scheduler.stop());
      this.#settle(job, outcome);
      freed();
    } catch (error) {
      failed(error);
    }
  }

  /** Ends a job with an outcome, and the stage if enough tasks have failed or succeeded. */
  #settle(job: Job, outcome: Outcome): void {
    const { account, end } = this.#parts;
    const isFailure = outcome.error !== undefined;
    this.#end(job, account.settled(job, outcome), !isFailure);
    if (this.isStopped) return;
    const when = haltAfter(isFailure, account.counts, this.#options);
    if (when !== undefined) end(when);
  }

  /** Ends a job. @param task its record; undefined if nothing is passed on */
  #end(job: Job, task: Task | undefined, succeeded: boolean): void {
    (this.#scheduler as Scheduler).finish(job, succeeded);
    this.#emit(job, task);
  }

  #emit(job: Job, task: Task | undefined): void {
    const { output } = this.#parts;
    output.put(job, task);
    if (output.order !== undefined) this.#scheduler?.release();
  }

  /**
   * Starts no more jobs, and passes on those that wait.
   * @param drains true if tasks that still arrive are passed on too
   */
  stop(drains: boolean): void {
    const scheduler = this.#scheduler as Scheduler;
    this.isStopped = true;
    this.attempts.batcher?.stop();
    const letOut = (job: Job): void => this.#passOn([job]);
    const waiting = scheduler.stop(drains ? letOut : undefined);
    this.#passOn(waiting.filter(({ goOn }) => goOn === undefined));
    for (const job of waiting) {
      if (job.goOn === undefined) continue;
      scheduler.begin(job); // a part of the attempt was made, so it counts as running
      job.goOn();
    }
  }

  /** Gives up the running jobs; their tasks come out unfinished. */
  giveUp(): void {
    this.attempts.giveUp((job) => this.#giveBack(job));
  }

  /** Ends all jobs without waiting. @param unread tasks that the scheduler does not have */
  abandon(unread: readonly Task[]): void {
    this.isStopped = true;
    this.attempts.batcher?.stop();
    const scheduler = this.#scheduler as Scheduler;
    const waiting = scheduler.stop();
    for (const job of [...this.attempts.jobs, ...this.#keeping]) this.#giveBack(job);
    this.#passOn(waiting.concat(unread.map((task) => scheduler.late(task))));
  }

  /** Ends a running job without finishing its task. */
  #giveBack(job: Job): void {
    this.#limits?.ended(job, {}); // it may have cost something
    this.#limits?.left(job.task);
    this.#end(job, this.#parts.account.givenBack(job), false);
  }

  /** Passes on jobs that have not begun, or that wait for a retry. */
  #passOn(jobs: readonly Job[]): void {
    for (const job of jobs) {
      if (this.isCharged(job)) this.#limits?.left(job.task);
      this.#emit(job, this.#parts.account.dropped(job));
    }
  }
}
