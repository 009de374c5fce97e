export interface ProcessEnd {
  readonly exit: number | null;
  readonly signal: string | null;
}

/** Signals that a service manager sends to all processes of a stage, or a terminal to a process group. */
const STOPS: ReadonlySet<string> = new Set(['SIGTERM', 'SIGINT', 'SIGHUP']);

/** Exit codes of programs that handle these signals, or whose shell reports them: 128 and the number. */
const CODES: ReadonlySet<number> = new Set([129, 130, 143]);

/** Longest time between the signal of a program and that of its stage, in milliseconds. */
const SAME_STOP = 500;

/**
 * Returns whether a program was ended by the signal that also stops the stage, so that its task is unfinished, not
 * failed. The program may receive the signal first, so this waits a moment for the signal of the stage.
 * @param stopping aborted when the stage is asked to stop
 */
export async function isStopped(
  { exit, signal }: ProcessEnd,
  stopping: AbortSignal | undefined,
): Promise<boolean> {
  if (stopping === undefined) return false;
  const isBySignal = signal === null ? CODES.has(exit as number) : STOPS.has(signal);
  if (!isBySignal) return false;
  if (stopping.aborted) return true;
  return new Promise((resolve) => {
    const end = (isByStop: boolean): void => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', onStop);
      resolve(isByStop);
    };
    const onStop = (): void => end(true);
    const timer = setTimeout(end, SAME_STOP, false);
    stopping.addEventListener('abort', onStop);
  });
}
