import { DEFECT } from './exits.ts';

const WAITS =
  'the work cannot finish: an await in a --module or --flow waits for something that never happens';
const EXITS =
  'process.exit ended the stage before its work was done: a --module or --flow must throw, or call ctx.stop()';

/**
 * Reports a process that ends before its work is done, and sets the exit code.
 * @param write writes a line to stderr
 * @returns the function to call when the work is done
 */
export function watchEnding(write: (message: string) => void): () => void {
  let isSaid = false;
  const fail = (words: string): void => {
    process.exitCode = DEFECT;
    if (isSaid) return;
    isSaid = true;
    write(words);
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
  };
}
