/*
 * Last work of a process whose main thread is blocked by user code: the watchdog pauses the main thread, as a debugger
 * does, and has it call a function that writes the records which are not written yet.
 */
import { readFileSync } from 'node:fs';

/** Key of the function in the global object of the main thread. */
const KEY = 'taskpipe.rescue';

/**
 * Sets the function that a blocked main thread calls before the process is killed.
 * @param rescue writes what is not written yet; it must be synchronous. Returns the number of unfinished tasks
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
 * Calls the function on the main thread, from another thread.
 * @param patience longest time, in milliseconds
 * @param then called with the number of unfinished tasks, 0 if none was read; -1 if they could not be written
 */
export function callRescue(patience: number, then: (unfinished: number) => void): void {
  let isOver = false;
  const end = (unfinished: number): void => {
    if (!isOver) then(unfinished);
    isOver = true;
  };
  setTimeout(killChildren, patience / 2);
  setTimeout(end, patience, -1);
  evaluatePaused(`globalThis[Symbol.for(${JSON.stringify(KEY)})]?.() ?? 0`).then(
    (value) => end(Number(value)),
    () => end(-1), // this Node has no inspector
  );
}

/** Evaluates an expression on the main thread, in the middle of what that does. */
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

/** Kills the children of this process. Only JavaScript can be paused, not the wait for a child in `spawnSync`. */
function killChildren(): void {
  try {
    const pids = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').match(/\d+/g) ?? [];
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
  } catch {} // it has ended, or the system does not tell
}
