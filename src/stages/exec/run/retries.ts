import { backoffDelay } from '../../../core/schedule/backoff.ts';
import type { Job } from '../../../core/schedule/lanes/lane.ts';
import type { Scheduler } from '../../../core/schedule/scheduler.ts';
import type { RetryHint } from '../../../executors/contract.ts';
import { DEFAULTS, type ExecOptions } from '../exec-options.ts';

/** Refusals of a task without a time to wait that do not count as retries. */
const FREE_REFUSALS = 3;

/**
 * Counts a failed attempt that may be retried, and pauses its lane if the server asks for it.
 * @returns the time until the next attempt, in milliseconds; undefined if no retries are left
 */
export function retryAfter(
  job: Job,
  hint: RetryHint,
  scheduler: Scheduler,
  options: ExecOptions,
): number | undefined {
  const { retries = DEFAULTS.retries, backoff = DEFAULTS.backoff } = options;
  const isFree = hint.hasProgress === true && retries > 0;
  if (!isFree && isCounted(job, hint, scheduler, options)) job.countedAttempts++;
  if (job.countedAttempts > retries) return undefined;
  return (hint.after ?? 0) + backoffDelay(Math.max(1, job.countedAttempts), backoff);
}

/**
 * Pauses the lane if the server asks for it. Returns whether the attempt counts as a retry: of a burst that a host
 * refuses, only the first; without a time to wait, not the first few of a task, which find out how long that is.
 */
function isCounted(
  job: Job,
  { after, pauseLane = false }: RetryHint,
  scheduler: Scheduler,
  { backoff = DEFAULTS.backoff, paused }: ExecOptions,
): boolean {
  if (!pauseLane) return true;
  if (after !== undefined) {
    paused?.(job.lane.key, after);
    return scheduler.pause(job, after);
  }
  return scheduler.refuse(job, backoff) && job.attempts - job.countedAttempts > FREE_REFUSALS;
}
