import { DEFECT } from './exits.ts';

const WAITS =
  'what it waits for can no longer come, as nothing goes on: an await in a --module or --flow that never ends?';
const EXITS =
  'process.exit ended it before its work was done: a --module or --flow must throw, or use ctx.stop()';

/**
 * Sees to it that the process does not end before its work and nobody is told: with an exit code that says so.
 * @param write a line on stderr
 * @returns what is to be called when the work is over
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
      isSaid ||= process.listenerCount('uncaughtException') === 0; // then Node ends it, and shows its stack
    },
  };
  for (const [event, listener] of Object.entries(listeners)) process.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) process.off(event, listener);
  };
}
