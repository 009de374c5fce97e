import type { Failure } from '../../../core/record/task.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, WholeOutcome } from '../../../executors/contract.ts';
import { isEach, settleAll } from './call-outcomes.ts';
import type { Halving } from './contract.ts';

/**
 * Search for the tasks at fault in a batch that failed. If many calls in a row failed in the same way, down to a single
 * task, and no call of the lane has succeeded that began after the first of these failures, then the failure is not
 * caused by the tasks: the search ends, and the batch is retried as a whole. Without this rule an outage would cost 2n-1
 * calls for n tasks.
 */
export class FaultSearch {
  readonly #how: Halving;
  readonly #jobs: readonly Job[];
  readonly #lane: Lane;
  /** Number of failures in a row after which the search may end: by then it has called a single task. */
  readonly #enough: number;
  /** Newest call of the lane when the first failure since the last success was known. */
  #since: number;
  /** Latest failure, and the number of further calls in a row that failed in the same way. */
  #failure: Failure | undefined;
  #alike = 0;
  /** True if no call has succeeded since the batch failed. */
  #isEarly = true;
  /** True if a call failed with another failure, which a task may have caused. */
  #differs = false;
  #isHopeless = false;
  /** Latest failures in a row that are alike, of calls that began before the first success. */
  readonly #early = new Set<BatchOutcome>();
  /** Outcomes of calls that are not settled, as long as there may be an outage. */
  #held: [jobs: readonly Job[], made: BatchOutcome][] = [];

  constructor(jobs: readonly Job[], { whole }: WholeOutcome, how: Halving) {
    this.#how = how;
    this.#jobs = jobs;
    this.#lane = (jobs[0] as Job).lane;
    this.#since = how.outages.newest(this.#lane);
    this.#failure = whole.error;
    this.#enough = 2 * Math.ceil(Math.log2(jobs.length));
  }

  /** True once further calls would not add information. */
  get isHopeless(): boolean {
    this.#isHopeless ||= this.#alike >= this.#enough && this.#isFruitless && this.#mayEnd;
    return this.#isHopeless;
  }

  /** True if nothing showed that some tasks are good or bad in another way: then it is an outage, not many bad tasks side by side. */
  get #isClear(): boolean {
    return this.#isEarly && !this.#differs;
  }

  /** In doubt, tasks without a retry left are searched to the end: good ones must not fail with bad ones beside them. */
  get #mayEnd(): boolean {
    const { isLast, outages } = this.#how;
    const isClear = this.#isClear && !this.#jobs.some((job) => outages.isDoubtful(job));
    return isClear || !this.#jobs.some(isLast);
  }

  async call(jobs: readonly Job[]): Promise<BatchOutcome> {
    const wasFruitless = this.#isFruitless;
    const made = await this.#how.call(jobs);
    if (isEach(made) || made.whole.error === undefined) return made; // without an error, it was not made
    const { error } = made.whole;
    const isFruitless = this.#isFruitless;
    const isAgain = isAlike(error, this.#failure);
    if (!isAgain) {
      this.#failure = error;
      this.#differs = true;
      this.#early.clear();
    }
    this.#alike = isAgain && isFruitless ? this.#alike + 1 : 1;
    if (this.#isEarly && wasFruitless) this.#early.add(made);
    if (!isFruitless) this.#beginAnew();
    return made;
  }

  /** Settles the tasks of a call; failures wait until it is known whether there is an outage. */
  settle(jobs: readonly Job[], made: BatchOutcome): void {
    this.#held.push([jobs, made]);
    if (!this.#isFruitless) this.#settleHeld();
  }

  /** Looks for an outage that begins now: a call has succeeded before. */
  #beginAnew(): void {
    this.#settleHeld();
    this.#isEarly = false;
    this.#since = this.#how.outages.newest(this.#lane);
  }

  end(): void {
    const { outages } = this.#how;
    if (this.#isHopeless) {
      outages.found(this.#lane, this.#since);
      if (!this.#isClear) for (const [jobs] of this.#held) for (const job of jobs) outages.doubt(job);
    }
    this.#settleHeld();
  }

  get #isFruitless(): boolean {
    const { mode, outages } = this.#how;
    return mode === 'auto' && !outages.isAnsweredSince(this.#lane, this.#since);
  }

  #settleHeld(): void {
    const held = this.#held;
    this.#held = [];
    for (const [jobs, made] of held) {
      if (isEach(made) || !this.#isOfOutage(made)) settleAll(jobs, made, this.#how.settle);
      else for (const job of jobs) this.#how.settle(job, { ...made.whole, retry: made.whole.retry ?? {} });
    }
  }

  /**
   * Returns whether an outage may have caused a failure: one that goes on, or one that ended during the search. A single bad task
   * fails at most one call before another one succeeds.
   */
  #isOfOutage(made: BatchOutcome): boolean {
    return this.#isHopeless || (this.#early.size > 1 && this.#early.has(made));
  }
}

/** Returns whether two failures are the same. Failures of workers begin with the number of the worker. */
function isAlike(one: Failure | undefined, other: Failure | undefined): boolean {
  const words = (failure: Failure | undefined): string | undefined =>
    failure?.message.replace(/^worker \d+/, '');
  return one?.code === other?.code && words(one) === words(other);
}
