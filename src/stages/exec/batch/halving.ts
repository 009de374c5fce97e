import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome, WholeOutcome } from '../../../executors/contract.ts';
import { isEach, settleAll } from './call-outcomes.ts';
import type { Halving } from './contract.ts';
import { FaultSearch } from './fault-search.ts';

/** Returns whether further calls may add information about the tasks of a call. */
export function isHalved(
  jobs: readonly Job[],
  made: BatchOutcome,
  { mode, isLast }: Pick<Halving, 'mode' | 'isLast'>,
): made is WholeOutcome {
  if (jobs.length === 1 || mode === 'never' || isEach(made) || made.whole.error === undefined) return false;
  const { retry } = made.whole;
  // The server refuses calls, whatever is in them.
  if (retry?.pauseLane === true && (retry.after !== undefined || made.halves !== 'later')) return false;
  if (made.halves === 'later') return retry === undefined || jobs.some(isLast);
  return made.halves === 'now' || mode === 'always';
}

/** Settles the tasks of a call that failed, with further calls for halves of them. */
export async function searchFault(jobs: readonly Job[], made: WholeOutcome, how: Halving): Promise<void> {
  const search = new FaultSearch(jobs, made, how);
  await narrow(jobs, made, how, search);
  search.end();
}

async function narrow(
  jobs: readonly Job[],
  made: BatchOutcome,
  how: Halving,
  search: FaultSearch,
): Promise<void> {
  if (!isHalved(jobs, made, how) || search.isHopeless) {
    search.settle(jobs, made);
    return;
  }
  const isLater = made.halves === 'later' && made.whole.retry !== undefined;
  const last = isLater ? jobs.filter(how.isLast) : jobs;
  how.spent(last, made.whole);
  if (last.length === jobs.length) {
    await halve(jobs, how, search);
    return;
  }
  // The others are retried, because the remaining tasks alone were not tested.
  settleAll(
    jobs.filter((job) => !last.includes(job)),
    made,
    how.settle,
  );
  await narrow(last, await search.call(last), how, search);
}

/**
 * Calls halves of tasks whose call failed. If the first half succeeds, the fault is in the second, which is then not
 * called as a whole: one bad task among n costs at most 2·log2(n) calls.
 */
async function halve(jobs: readonly Job[], how: Halving, search: FaultSearch): Promise<void> {
  const middle = jobs.length >> 1;
  const [first, second] = [jobs.slice(0, middle), jobs.slice(middle)];
  const made = await search.call(first);
  if (isEach(made)) {
    search.settle(first, made);
    if (second.length > 1) await halve(second, how, search);
    else search.settle(second, await search.call(second));
    return;
  }
  const other = await search.call(second);
  const isDown = how.mode === 'auto' && !isEach(other) && made.halves === 'later' && other.halves === 'later';
  if (isDown) {
    // Both halves fail temporarily: the cause is the other side, not a task.
    search.settle(first, made);
    search.settle(second, other);
    return;
  }
  await narrow(first, made, how, search);
  await narrow(second, other, how, search);
}
