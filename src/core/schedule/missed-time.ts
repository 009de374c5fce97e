/** Normal lateness of a timer, in milliseconds. */
const NORMAL = 100;

/**
 * Returns the time to wait on, from now, at a deadline whose timer fired late: the process was suspended or frozen,
 * so the work may have finished unnoticed, or it was frozen too. It is at most the timeout, so that there is always a
 * deadline.
 * @param due time for which the timer was set, by `performance.now()`
 * @param timeout in milliseconds
 */
export function missedTime(due: number, timeout: number, now: number = performance.now()): number {
  const late = now - due;
  return late > NORMAL ? Math.min(late, timeout) : 0;
}
