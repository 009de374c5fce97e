/** What a stage hears of SIGINT, SIGTERM and SIGHUP, and of a reader that left. */
export interface Stop {
  /** Aborted by the first signal. */
  readonly stopping: AbortSignal;
  /** Aborted by the second one, or by `leave()`. */
  readonly leaving: AbortSignal;
  /** The first signal that came. */
  readonly signal: NodeJS.Signals | undefined;
  stop(): void;
  leave(): void;
}

/** A terminal that is closed sends SIGHUP. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The exit codes of a process that these signals ended, as shells have them: 128 and the number. */
export const SIGNAL_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

/**
 * Listens for signals: the first asks to stop, the second to leave, a third ends the process. To the very end: a second
 * one that comes when all is done is not to take the place of the exit code.
 */
export function listenForSignals(): Stop {
  const stopping = new AbortController();
  const leaving = new AbortController();
  let first: NodeJS.Signals | undefined;
  const release = (): void => {
    for (const name of SIGNALS) process.off(name, listener);
  };
  const listener = (name: NodeJS.Signals): void => {
    if (first === undefined) {
      first = name;
      stopping.abort();
    } else {
      release();
      leaving.abort();
    }
  };
  for (const name of SIGNALS) process.on(name, listener);
  return {
    stopping: stopping.signal,
    leaving: leaving.signal,
    get signal() {
      return first;
    },
    stop: () => stopping.abort(),
    leave: () => leaving.abort(),
  };
}

/** Errors that escaped from code of the user's. */
export interface Escapes {
  /** How many there were. */
  readonly count: number;
  release(): void;
}

/**
 * Listens for errors that nobody catches, as one that is thrown by a timer, or a promise that is rejected and not
 * awaited: the first asks to stop, the second to leave.
 * @param say a line on stderr
 */
export function listenForEscapes({ stop, leave }: Stop, say: (message: string) => void): Escapes {
  let count = 0;
  const listener = (error: unknown): void => {
    say(
      `an error that nobody caught, in a timer or a promise without await: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    if (count++ === 0) stop();
    else leave();
  };
  process.on('uncaughtException', listener);
  return {
    get count() {
      return count;
    },
    release: () => void process.off('uncaughtException', listener),
  };
}
