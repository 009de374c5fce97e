import { setMaxListeners } from 'node:events';
import type { Job } from '../../../core/schedule/lanes/lane.ts';
import { UnorderedPool } from '../../../core/schedule/unordered-pool.ts';
import type { Executor, Move, Outcome, StageControl } from '../../../executors/contract.ts';
import { Batcher, type BatcherHooks } from '../batch/batcher.ts';
import { DEFAULTS, type ExecOptions, rateOf } from '../exec-options.ts';

/** Functions of the stage that its attempts need. */
export interface AttemptHooks extends Omit<BatcherHooks, 'attempt'> {
  /** Functions of the stage that the work may call. */
  readonly control: StageControl;
}

/** Attempts of a stage: makes them, one by one or in batches, and knows which are under way. */
export class Attempts {
  /** Batches of tasks; undefined if each call is for one task. */
  readonly batcher: Batcher | undefined;
  readonly #executor: Executor;
  readonly #hooks: AttemptHooks;
  readonly #giveUp = new AbortController();
  /** Jobs whose attempt is under way. */
  readonly #running = new UnorderedPool<Job>();
  /** Job whose work is being called. */
  #calling: Job | undefined;

  constructor(executor: Executor, options: ExecOptions, hooks: AttemptHooks) {
    this.#executor = executor;
    this.#hooks = hooks;
    setMaxListeners(0, this.#giveUp.signal); // each running job may listen
    const { batch, jobs = DEFAULTS.jobs, retries = DEFAULTS.retries } = options;
    if (batch === undefined) return;
    const settings = { ...options, ...{ batch, jobs, retries }, rate: rateOf(options) };
    this.batcher = new Batcher(executor, settings, {
      ...hooks,
      attempt: { signal: this.#giveUp.signal, stage: hooks.control },
      ended: (job, outcome) => {
        if (this.#running.delete(job)) hooks.ended(job, outcome);
      },
      dropped: (job) => {
        this.#running.delete(job);
        hooks.dropped(job);
      },
    });
  }

  /** Number of tasks that are worked on, without those that wait for a call of their batch. */
  get running(): number {
    return this.#running.size - (this.batcher?.waiting ?? 0);
  }

  /** Number of calls that the attempts are made by: fewer with batches. */
  get calls(): number {
    return this.batcher?.calls ?? this.#running.size;
  }

  /** True if no attempt is under way. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** Jobs of the attempts under way, with the one whose work is being called: it may block the process. */
  get jobs(): readonly Job[] {
    return this.#calling === undefined ? [...this.#running] : [this.#calling, ...this.#running];
  }

  /** Returns whether an attempt at the task with this position in the input is under way. */
  has(position: number): boolean {
    for (const { ordinal } of this.#running) if (ordinal === position) return true;
    return false;
  }

  /**
   * Makes an attempt. Synchronous work needs no promise for each task.
   * @param cancelled aborted when the task is cancelled
   * @param move rest of the attempt, if a part of it was made before
   */
  make(job: Job, cancelled: AbortSignal | undefined, move: Move | undefined): void {
    if (this.batcher !== undefined) {
      this.#running.add(job);
      this.batcher.add(job, cancelled);
      return;
    }
    const attempt = {
      number: job.attempts,
      ordinal: job.ordinal,
      signal: this.#giveUp.signal,
      cancelled,
      mayMove: true,
      stage: this.#hooks.control,
    };
    let outcome: Outcome | Promise<Outcome>;
    this.#calling = job;
    try {
      outcome = move === undefined ? this.#executor.attempt(job.task, attempt) : move.goOn(attempt);
    } catch (error) {
      this.#hooks.failed(error);
      return;
    } finally {
      this.#calling = undefined;
    }
    if (!(outcome instanceof Promise)) {
      this.#hooks.ended(job, outcome);
      return;
    }
    this.#running.add(job);
    outcome.then((settled) => this.#ended(job, settled), this.#hooks.failed);
  }

  /** Handles the end of an asynchronous attempt. */
  #ended(job: Job, outcome: Outcome): void {
    if (!this.#running.delete(job)) return; // given up meanwhile
    try {
      this.#hooks.ended(job, outcome);
      this.#hooks.freed();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  /** Gives up all attempts. @param left takes each of their jobs */
  giveUp(left: (job: Job) => void): void {
    this.#giveUp.abort();
    for (const job of this.#running) left(job);
    this.#running.clear();
  }
}
