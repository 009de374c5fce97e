/** Lateness of a timer that is normal, in milliseconds. */
const NORMAL = 100;

/**
 * Returns the time to wait on, from now, at a deadline whose timer fired late: the process was suspended or frozen, so the work may
 * be finished but its end is not noticed yet, or it was frozen too. At most the timeout itself, so that a deadline
 * stays one.
 * @param due time for which the timer was set, by `performance.now()`
 * @param timeout in milliseconds
 */
export function missedTime(due: number, timeout: number, now: number = performance.now()): number {
  const late = now - due;
  return late > NORMAL ? Math.min(late, timeout) : 0;
}
