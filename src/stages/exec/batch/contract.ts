import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, Outcome } from '../../../executors/contract.ts';
import type { Limits } from '../limits/index.ts';
import type { CallRates } from './call-pacing.ts';
import type { Outages } from './outages.ts';

/** Failures after which a batch is halved: see `batchOptions`. */
export type SplitMode = 'auto' | 'always' | 'never';

/** Settings of batches. */
export interface BatchSettings extends CallRates {
  /** Maximum number of tasks of one call. */
  readonly batch: number;
  /** Longest wait for more tasks, in milliseconds. */
  readonly batchWait?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly batchBy?: string | undefined;
  readonly batchSplit?: SplitMode | undefined;
  /** Number of calls at once. */
  readonly jobs: number;
  readonly retries: number;
  /** Limits of what tasks may cost. */
  readonly limits?: Limits | undefined;
}

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
