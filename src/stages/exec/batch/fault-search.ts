import type { Failure } from '../../../core/record/task.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, WholeOutcome } from '../../../executors/contract.ts';
import { isEach, settleAll } from './call-outcomes.ts';
import type { Halving } from './contract.ts';

/**
 * Search for the tasks at fault in a batch that failed. If no call of the lane has succeeded since the batch was
 * called, and all calls failed in the same way, down to a single task, then the failure is not caused by the tasks:
 * the search ends, and the batch is retried as a whole. Without this rule an outage would cost 2n-1 calls for n
 * tasks.
 */
export class FaultSearch {
  readonly #how: Halving;
  readonly #lane: Lane;
  readonly #answered: number;
  readonly #failure: Failure | undefined;
  /** Number of further calls after which the search may end: by then it has called a single task. */
  readonly #enough: number;
  #calls = 0;
  /** True if a call failed with another failure, which a task may have caused. */
  #differs = false;
  #isHopeless = false;
  /** Failures before the first success, if they are alike. */
  readonly #early = new Set<BatchOutcome>();
  /** Outcomes of calls that are not settled, as long as there may be an outage. */
  #held: [jobs: readonly Job[], made: BatchOutcome][] = [];

  /** @param answered number of answered calls of the lane before the batch was called */
  constructor(jobs: readonly Job[], { whole }: WholeOutcome, how: Halving, answered: number) {
    this.#how = how;
    this.#lane = (jobs[0] as Job).lane;
    this.#answered = answered;
    this.#failure = whole.error;
    this.#enough = 2 * Math.ceil(Math.log2(jobs.length));
  }

  /** True once further calls would not add information. */
  get isHopeless(): boolean {
    this.#isHopeless ||= this.#calls >= this.#enough && this.#isFruitless;
    return this.#isHopeless;
  }

  async call(jobs: readonly Job[]): Promise<BatchOutcome> {
    this.#calls++;
    const made = await this.#how.call(jobs);
    if (!isEach(made) && !isAlike(made.whole.error, this.#failure)) this.#differs = true;
    if (this.#isFruitless) this.#early.add(made);
    return made;
  }

  /** Settles the tasks of a call; failures wait until it is known whether there is an outage. */
  settle(jobs: readonly Job[], made: BatchOutcome): void {
    this.#held.push([jobs, made]);
    if (!this.#isFruitless) this.#settleHeld();
  }

  end(): void {
    if (this.#isHopeless) this.#how.outages.found(this.#lane);
    this.#settleHeld();
  }

  get #isFruitless(): boolean {
    const { mode, outages } = this.#how;
    return mode === 'auto' && !this.#differs && outages.answered(this.#lane) === this.#answered;
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
    return this.#isHopeless || (!this.#differs && this.#early.size > 1 && this.#early.has(made));
  }
}

/** Returns whether two failures are the same. Failures of workers begin with the number of the worker. */
function isAlike(one: Failure | undefined, other: Failure | undefined): boolean {
  const words = (failure: Failure | undefined): string | undefined =>
    failure?.message.replace(/^worker \d+/, '');
  return one?.code === other?.code && words(one) === words(other);
}
