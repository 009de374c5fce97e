/*
 * Last work of a process that user code blocks or ends: a function writes the remaining records. If the main
 * thread is blocked, the watchdog pauses it, as a debugger does, and makes it call that function.
 */
import { killDescendants } from '../../core/base/descendants.ts';

/** Key of the function in the global object of the main thread. */
const KEY = 'taskpipe.rescue';

/** Time between two attempts to kill the children of a blocked main thread, in milliseconds. */
const REPEAT = 100;

/**
 * Sets the function that a blocked main thread calls before the process is killed.
 * @param rescue writes the remaining records; it must be synchronous. Returns the number of unfinished tasks
 */
export function offerRescue(rescue: () => number): void {
  const value = (): number => {
    try {
      return rescue();
    } catch {
      return -1;
    }
  };
  Object.defineProperty(globalThis, Symbol.for(KEY), { value, configurable: true });
}

/**
 * Calls the function, on the main thread. Returns the number of unfinished tasks, 0 if none was read; -1 if they could
 * not be written; undefined if there is no user code.
 */
export function rescueNow(): number | undefined {
  const rescue = (globalThis as Record<symbol, unknown>)[Symbol.for(KEY)];
  return typeof rescue === 'function' ? rescue() : undefined;
}

/**
 * Calls the function on the main thread, from another thread. Only JavaScript can be paused, not the wait for a child in
 * `spawnSync`: such children are killed.
 * @param patience longest time, in milliseconds
 * @param then called with the number of unfinished tasks, 0 if none was read; -1 if they could not be written
 */
export function callRescue(patience: number, then: (unfinished: number) => void): void {
  let isOver = false;
  const end = (unfinished: number): void => {
    if (!isOver) then(unfinished);
    isOver = true;
  };
  const kill = (): void => {
    if (!isOver) setTimeout(kill, REPEAT);
    killDescendants(process.pid);
  };
  setTimeout(kill, patience / 2);
  setTimeout(end, patience, -1);
  evaluatePaused(`globalThis[Symbol.for(${JSON.stringify(KEY)})]?.() ?? 0`).then(
    (value) => end(Number(value)),
    () => end(-1), // this Node has no inspector
  );
}

/** Evaluates an expression on the main thread, in the middle of other work. */
async function evaluatePaused(expression: string): Promise<unknown> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connectToMainThread();
  return new Promise((resolve, reject) => {
    session.on('Debugger.paused', () => {
      session.post('Runtime.evaluate', { expression }, (error, reply) =>
        error === null ? resolve(reply.result.value) : reject(error),
      );
    });
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  });
}

/** Returns the end of a message about unfinished tasks; a negative count means that they have no record. */
export function unfinishedWords(count: number): string {
  if (count < 0) return 'unfinished tasks have no record';
  return count === 1 ? '1 unfinished task is PENDING' : `${count} unfinished tasks are PENDING`;
}
