/**
 * Calls a function at an interval, but not again before its last call has ended.
 * @param failed called with an error of it
 * @returns the timer
 */
export function repeat(
  milliseconds: number,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): NodeJS.Timeout {
  let isAtWork = false;
  return setInterval(async () => {
    if (isAtWork) return;
    isAtWork = true;
    await work().catch(failed);
    isAtWork = false;
  }, milliseconds);
}
