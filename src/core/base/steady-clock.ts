/** Wall-clock time at which `performance.now()` was 0. */
const ORIGIN = performance.timeOrigin;

/**
 * Returns a time in whole milliseconds that never goes back: the wall clock as it was at the start of the
 * process, and the time since then. Use it for durations; the system clock may be changed meanwhile.
 */
export function steadyNow(): number {
  return Math.floor(ORIGIN + performance.now());
}
