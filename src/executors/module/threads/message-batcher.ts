/** Longest time that a message waits for others, in milliseconds. */
const LONGEST = 1;

/** Share of the running attempts that triggers a message. */
const ENOUGH = 1 / 3;

/** Number of running attempts up to which nothing waits: a thread would soon be idle. */
const FEW = 16;

/**
 * Decides when collected items are sent to another thread, because each message wakes that thread: as soon as they
 * are a certain share of all running attempts, so that neither side runs out of work; a moment later at the latest;
 * and at the end of the turn if few attempts are running.
 * @param underway returns the number of running attempts, collected ones included
 * @returns the function to call for each added item
 */
export function batchMessages(send: () => void, underway: () => number): () => void {
  let count = 0;
  let soon: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearImmediate(soon);
    clearTimeout(later);
    soon = undefined;
    later = undefined;
    count = 0;
    send();
  };
  return () => {
    count++;
    if (soon !== undefined) return;
    const all = underway();
    if (all <= FEW || count >= all * ENOUGH) soon = setImmediate(flush);
    else later ??= setTimeout(flush, LONGEST);
  };
}
