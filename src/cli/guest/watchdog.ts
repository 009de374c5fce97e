import { Worker } from 'node:worker_threads';

/** Message to the watchdog: an answer, that the main thread has heard a signal, or that the stage is ending. */
export type ToWatchdog = 'alive' | { readonly stopping: NodeJS.Signals } | 'ending';

/**
 * Message from the watchdog: a question whether the main thread is blocked, that it listens to signals, or a signal that
 * it has heard. User code may have removed the listeners of the main thread.
 */
export type FromWatchdog = 'ask' | 'ready' | { readonly signal: NodeJS.Signals; readonly count: number };

/** Setting of the watchdog. */
export interface WatchdogData {
  /** Name of the command, for messages. */
  readonly name: string;
  /** Time that running work has after the first signal, in milliseconds. */
  readonly grace: number;
  /** Signals that stop the stage. */
  readonly signals: readonly NodeJS.Signals[];
}

/** Thread that ends a process whose main thread is blocked by user code. */
export interface Watchdog {
  /**
   * Promise that resolves once every signal is received, including earlier ones. User code must not run earlier: it
   * could block the main thread before a signal is handled that arrived before the watchdog started.
   */
  readonly ready: Promise<unknown>;
  /** Called at the first signal: the watchdog does not hear those that come while it starts. */
  stopping(signal: NodeJS.Signals): void;
  /** Called when the stage is over: the process must end soon. */
  ending(): void;
  /** Ends the watchdog, so that it no longer listens to signals. */
  close(): Promise<unknown>;
}

/**
 * Starts the watchdog. The main thread cannot hear signals while user code blocks it, for example in an endless loop.
 * The watchdog hears them too, and kills the process if the main thread does not answer: after the second signal, or
 * after the grace that follows the first.
 * @param heard called with each signal and its number, from 1
 */
export function openWatchdog(
  data: WatchdogData,
  heard: (signal: NodeJS.Signals, count: number) => void,
): Watchdog {
  const worker = new Worker(new URL('./watchdog.js', import.meta.url), {
    workerData: data,
    execArgv: [],
    env: {},
  });
  const tell = (message: ToWatchdog): void => worker.postMessage(message);
  const ready = new Promise<void>((resolve) => {
    worker.on('message', (message: FromWatchdog) => {
      if (message === 'ask') tell('alive');
      else if (message === 'ready')
        setImmediate(resolve); // after the signals that arrived with it
      else heard(message.signal, message.count);
    });
    worker.on('error', () => resolve()); // this Node has no signals in threads: the main thread alone hears them
  });
  return {
    ready: ready.then(() => worker.unref()),
    stopping: (signal) => tell({ stopping: signal }),
    ending: () => tell('ending'),
    close: () => worker.terminate(),
  };
}
