import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, Outcome } from '../../../executors/contract.ts';
import type { Outages } from './outages.ts';

/** Failures after which a batch is halved: see `batchOptions`. */
export type SplitMode = 'auto' | 'always' | 'never';

/** Steps by which a failed batch is halved. */
export interface Halving {
  readonly mode: SplitMode;
  readonly outages: Outages;
  /** Makes one call for some of the tasks. */
  call(jobs: readonly Job[]): Promise<BatchOutcome>;
  /** Takes the outcome of a call after which its tasks are called again. */
  spent(jobs: readonly Job[], outcome: Outcome): void;
  /** Takes the outcome of a task. */
  settle(job: Job, outcome: Outcome): void;
  /** Returns whether a task has no retries left. */
  isLast(job: Job): boolean;
}
