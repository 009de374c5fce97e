import { steadyNow } from '../../core/base/steady-clock.ts';
import {
  type Failure,
  type Run,
  runOf,
  type Task,
  timestamp,
  withOutcome,
  withRun,
} from '../../core/record/task.ts';
import type { Job } from '../../core/schedule/lanes/lane.ts';
import type { Outcome } from '../../executors/contract.ts';

/** Returns the record of a task that ended. @param now `steadyNow()` */
export function finishedTask(job: Job, outcome: Outcome, as: string, now: number): Task {
  const { error, result, state, task = job.task } = outcome;
  const ended = state ?? (error === undefined ? 'SUCCESS' : 'FAILURE');
  return withOutcome(task, runFor(job, as, ended, error, now), result);
}

/** Returns the record of a task that was read but not finished. */
export function pendingTask(job: Job, as: string): Task {
  return withOutcome(job.task, runFor(job, as, 'PENDING', undefined, steadyNow()), undefined);
}

/**
 * Returns the record of a failed task after its revert, with the reason of the failure. If the revert failed
 * too, the record has both reasons.
 */
export function revertedTask(job: Job, { error }: Outcome, as: string, now: number): Task {
  const before = runOf(job.task.fields)?.error;
  if (error === undefined) return withRun(job.task, runFor(job, as, 'REVERTED', before, now));
  const cause = before === undefined ? '' : `; it had failed with ${before.code}: ${before.message}`;
  const both = { code: error.code, message: `it could not be reverted: ${error.message}${cause}` };
  return withRun(job.task, runFor(job, as, 'REVERT_FAILURE', both, now));
}

/**
 * Returns whether a stage that reverts must revert a task: the task failed in the work of this stage, or
 * after it.
 * @param as key of the result of this work
 */
export function isToRevert({ fields }: Task, as: string): boolean {
  const run = runOf(fields);
  const isFailed = run?.state === 'FAILURE' || run?.state === 'REVERTED';
  // No work was reverted then, because the results of a flow were not known.
  if (run?.state === 'REVERT_FAILURE') return run.as === as && run.error?.code === 'NO_RESULTS';
  return isFailed && (Object.hasOwn(fields, as) || (run.as === as && run.state === 'FAILURE'));
}

let lastRun: Run | undefined;
let lastEnd = Number.NaN;

/** Returns whether the latest run fits another task that ended in the same millisecond, as tasks of a batch do. */
function isSame(
  run: Run | undefined,
  state: Run['state'],
  as: string,
  attempts: number,
  ms: number,
): run is Run {
  return run?.state === state && run.as === as && run.attempts === attempts && run.ms === ms;
}

function runFor(
  { attempts, began }: Job,
  as: string,
  state: Run['state'],
  error: Failure | undefined,
  now: number,
): Run {
  const ms = attempts === 0 ? 0 : now - began;
  if (error === undefined && now === lastEnd && isSame(lastRun, state, as, attempts, ms)) return lastRun;
  const run = { state, as, attempts, at: timestamp(Date.now() - ms), ms };
  if (error !== undefined) return { ...run, error };
  lastRun = run;
  lastEnd = now;
  return run;
}
