import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, Outcome } from '../../../executors/contract.ts';
import type { Halving } from './contract.ts';

/** Returns whether a call has an outcome for each of its tasks. */
export function isEach(made: BatchOutcome): made is readonly Outcome[] {
  return Array.isArray(made);
}

/** Returns the outcomes of the tasks of a call. The outcome of a whole call counts for each of them. */
export function settleAll(jobs: readonly Job[], made: BatchOutcome, settle: Halving['settle']): void {
  for (let i = 0; i < jobs.length; i++)
    settle(jobs[i] as Job, isEach(made) ? (made[i] as Outcome) : made.whole);
}
