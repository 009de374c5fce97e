import { DEFECT } from './exits.ts';
import { rescueNow, unfinishedWords } from './guest/rescue.ts';

const WAITS =
  'the work cannot finish: an await in a --module or --flow waits for something that never happens';
const EXITS =
  'process.exit ended the stage before its work was done: a --module or --flow must throw, or call ctx.stop()';

/** Exit code of the finished work; undefined before its end. */
let final: number | undefined;

/** Sets the exit code of the process, also for a later `process.exit(0)` of user code. */
export function leaveWith(code: number): void {
  final = code;
  process.exitCode = code;
}

/**
 * Makes `process.reallyExit`, which some libraries call, end the process as `process.exit` does. `process.exit`
 * itself calls `reallyExit` while it exits.
 */
export function withoutReallyExit(): void {
  const own = process as unknown as { reallyExit(code?: number): never; readonly _exiting?: boolean };
  const { reallyExit } = own;
  own.reallyExit = (code) => (own._exiting === true ? reallyExit.call(process, code) : process.exit(code));
}

/** Writes the records that are not written yet. Returns a message about the unfinished tasks. */
function rescued(): string {
  const unfinished = rescueNow();
  return unfinished === undefined ? '' : `; ${unfinishedWords(unfinished)}`;
}

/**
 * Reports a process that ends before its work is done, writes its records, and sets the exit code.
 * @param write writes a line to stderr
 * @returns the function to call when the work is done
 */
export function watchEnding(write: (message: string) => void): () => void {
  let isSaid = false;
  const fail = (words: string): void => {
    process.exitCode = DEFECT;
    if (isSaid) return;
    isSaid = true;
    write(`${words}${rescued()}`);
  };
  const listeners = {
    beforeExit: () => fail(WAITS),
    exit: () => fail(EXITS),
    uncaughtExceptionMonitor: () => {
      isSaid ||= process.listenerCount('uncaughtException') === 0; // Node then ends the process and prints the stack
    },
  };
  for (const [event, listener] of Object.entries(listeners)) process.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) process.off(event, listener);
    process.on('exit', () => {
      if (final !== undefined) process.exitCode = final;
    });
  };
}
