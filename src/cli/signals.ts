import { readFileSync } from 'node:fs';
import { leaveWith } from './early-exit.ts';
import { DEFECT } from './exits.ts';

/** State of a stage that is asked to stop, by a signal or because its reader left. */
export interface Stop {
  /** Aborted by the first signal. */
  readonly stopping: AbortSignal;
  /** Aborted by the second signal, or by `leave()`. */
  readonly aborting: AbortSignal;
  /** First signal that arrived. */
  readonly signal: NodeJS.Signals | undefined;
  stop(): void;
  leave(): void;
  /** Called after the work: from now on a signal ends the process. */
  over(): void;
  /**
   * Called by the watchdog, which receives signals too. Acts on a signal that the listeners here did not get.
   * @param count signals until then
   */
  heard(signal: NodeJS.Signals, count: number): void;
  /** Sets a function to call before the process ends by a signal: another listener would keep it alive. */
  beforeEnd(close: () => Promise<unknown>): void;
}

/**
 * Signals that stop a stage. A terminal that is closed sends SIGHUP, which a stage ignores if its parent does, as in
 * `nohup sh -c 'task-load a.csv | …'`.
 */
export const SIGNALS: readonly NodeJS.Signals[] = isHangupIgnored()
  ? ['SIGINT', 'SIGTERM']
  : ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Returns whether the parent ignores SIGHUP. Node forgets at its start whether this process did. */
function isHangupIgnored(): boolean {
  try {
    const status = readFileSync(`/proc/${process.ppid}/status`, 'utf8');
    const [, last = '0'] = /^SigIgn:\s*[\da-f]*([\da-f])$/m.exec(status) ?? [];
    return (Number.parseInt(last, 16) & 1) === 1; // signal 1
  } catch {
    return false; // no /proc
  }
}

/** Exit codes after a signal, by the convention of shells: 128 and the number of the signal. */
export const SIGNAL_CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

/** Time after the second signal in which a stage must end, in milliseconds. */
const LEAVING = 800;

/** Time that a signal may take longer to the main thread than to the watchdog, in milliseconds. */
const DELAY = 100;

/** Time that the start of a stage has to notice the first signal, in milliseconds. */
const STARTING = 500;

/**
 * Listens for signals: the first asks to stop, the second to leave at once. The process ends by the signal if it does
 * not leave within a second, for example because a file cannot be opened; a third signal ends it at once.
 * @param isStarting returns whether the stage has begun no work yet. If so, the first signal acts as the second.
 */
export function listenForSignals(isStarting: () => boolean): Stop {
  const stopping = new AbortController();
  const aborting = new AbortController();
  let first: NodeJS.Signals | undefined;
  let count = 0;
  const release = (): void => {
    for (const name of SIGNALS) process.off(name, listener);
  };
  let close = async (): Promise<unknown> => undefined;
  const end = async (name: NodeJS.Signals): Promise<void> => {
    for (const one of SIGNALS) process.removeAllListeners(one); // listeners of user code would keep the process alive, too
    await close();
    process.kill(process.pid, name); // not exit(), which waits for file operations that hang
  };
  const listener = (name: NodeJS.Signals): void => {
    count++;
    if (first === undefined) {
      first = name;
      stopping.abort();
      setTimeout(() => void (isStarting() && end(name)), STARTING).unref();
    } else {
      release();
      aborting.abort();
      setTimeout(() => void end(first as NodeJS.Signals), LEAVING).unref();
    }
  };
  for (const name of SIGNALS) process.on(name, listener);
  if (!SIGNALS.includes('SIGHUP')) process.on('SIGHUP', () => {}); // otherwise the signal ends the process
  return {
    stopping: stopping.signal,
    aborting: aborting.signal,
    get signal() {
      return first;
    },
    stop: () => stopping.abort(),
    leave: () => aborting.abort(),
    over: release,
    heard: (name, number) => void setTimeout(() => count < number && listener(name), DELAY).unref(),
    beforeEnd(given) {
      close = given;
    },
  };
}

/** Errors of user code that were not caught. */
export interface Escapes {
  /** Number of errors during the work. */
  readonly count: number;
  /** Called after the work: user code may still run until the process ends. */
  over(): void;
}

/**
 * Listens for uncaught errors, such as one thrown by a timer or a rejected promise without await. The first
 * asks to stop, the second to leave at once. An error after the work sets the exit code.
 * @param warn writes a line to stderr
 */
export function listenForEscapes({ stop, leave }: Stop, warn: (message: string) => void): Escapes {
  let count = 0;
  let isOver = false;
  const listener = (error: unknown): void => {
    warn(
      `uncaught error, in a timer or a promise without await: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    if (isOver) leaveWith(DEFECT);
    else if (count++ === 0) stop();
    else leave();
  };
  process.on('uncaughtException', listener);
  return {
    get count() {
      return count;
    },
    over() {
      isOver = true;
    },
  };
}
