/** How long what gathers waits at most, in milliseconds. */
const LONGEST = 1;

/** What part of all that is under way is enough to be sent. */
const ENOUGH = 1 / 3;

/** Where no more than so many are under way, none of them waits: a thread would soon have nothing to do. */
const FEW = 16;

/**
 * Says when to send what gathers for another thread, as each message wakes that thread: once it is a part of all that
 * is under way, so that neither side runs dry; a moment later at the latest; and at the end of the turn where few are
 * under way.
 * @param underway how many are under way, with those that gather
 * @returns is to be called for each that is added
 */
export function gather(send: () => void, underway: () => number): () => void {
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
