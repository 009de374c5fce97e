/**
 * Waits for a promise until a signal is aborted: a server that does not answer must not hold up a stop.
 * @returns its value; undefined if the signal came first
 */
export async function unlessStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) {
    promise.catch(() => {});
    return undefined;
  }
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort as () => void);
    promise.catch(() => {}); // the promise may reject after the stop
  }
}
