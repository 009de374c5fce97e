import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, Outcome, WholeOutcome } from '../../../executors/contract.ts';

/** Failures that are halved: see `batchOptions`. */
export type SplitMode = 'auto' | 'always' | 'never';

/** Steps by which a failed batch is halved. */
export interface Halving {
  readonly mode: SplitMode;
  /** Makes one call for some of the tasks. */
  call(jobs: readonly Job[]): Promise<BatchOutcome>;
  /** Takes the outcome of a call whose tasks are called again. */
  spent(jobs: readonly Job[], outcome: Outcome): void;
  /** Takes the outcome of a task. */
  settle(job: Job, outcome: Outcome): void;
  /** Returns whether a task has no retries left. */
  isLast(job: Job): boolean;
}

/** Returns whether a call has an outcome for each of its tasks. */
export function isEach(made: BatchOutcome): made is readonly Outcome[] {
  return Array.isArray(made);
}

/** Returns the outcomes of the tasks of a call. A whole outcome counts for each of them. */
export function settleAll(jobs: readonly Job[], made: BatchOutcome, settle: Halving['settle']): void {
  for (let i = 0; i < jobs.length; i++)
    settle(jobs[i] as Job, isEach(made) ? (made[i] as Outcome) : made.whole);
}

/** Returns whether further calls may tell more about the tasks of a call. */
export function isHalved(
  jobs: readonly Job[],
  made: BatchOutcome,
  { mode, isLast }: Omit<Halving, 'call' | 'spent' | 'settle'>,
): made is WholeOutcome {
  if (jobs.length === 1 || mode === 'never' || isEach(made) || made.whole.error === undefined) return false;
  const { retry } = made.whole;
  if (retry?.pauseLane === true) return false; // the server refuses calls, whatever is in them
  if (made.halves === 'later') return retry === undefined || jobs.some(isLast);
  return made.halves === 'now' || mode === 'always';
}

/** Settles the tasks of a call, with further calls for halves of them if that tells more. */
export async function conclude(jobs: readonly Job[], made: BatchOutcome, how: Halving): Promise<void> {
  if (!isHalved(jobs, made, how)) {
    settleAll(jobs, made, how.settle);
    return;
  }
  const isLater = made.halves === 'later' && made.whole.retry !== undefined;
  const last = isLater ? jobs.filter(how.isLast) : jobs;
  how.spent(last, made.whole);
  if (last.length === jobs.length) {
    await halve(jobs, how);
    return;
  }
  // The others are retried; nothing is known about the rest alone.
  settleAll(
    jobs.filter((job) => !last.includes(job)),
    made,
    how.settle,
  );
  await conclude(last, await how.call(last), how);
}

/**
 * Calls halves of tasks whose call failed. If the first half succeeds, the fault is in the second, which is not called as
 * a whole again: one bad task among n costs at most 2·log2(n) calls.
 */
async function halve(jobs: readonly Job[], how: Halving): Promise<void> {
  const middle = jobs.length >> 1;
  const [first, second] = [jobs.slice(0, middle), jobs.slice(middle)];
  const made = await how.call(first);
  if (isEach(made)) {
    settleAll(first, made, how.settle);
    if (second.length > 1) await halve(second, how);
    else settleAll(second, await how.call(second), how.settle);
    return;
  }
  const other = await how.call(second);
  const isDown = how.mode === 'auto' && !isEach(other) && made.halves === 'later' && other.halves === 'later';
  const end = isDown ? stopHalving : conclude;
  await end(first, made, how);
  await end(second, other, how);
}

/** Settles the tasks of a half when both fail for a time: the other side is out of order, not a task. */
function stopHalving(jobs: readonly Job[], made: BatchOutcome, { settle }: Halving): void {
  settleAll(jobs, made, settle);
}
