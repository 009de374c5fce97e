import type { Task } from '../../../core/record/task.ts';
import type { Attempt, Outcome } from '../../contract.ts';

/** Maximum number of times that an attempt may be in a thread that ends for an unknown reason. */
const MOST_CRASHES = 4;

/** Attempt that runs on a thread. */
export interface Pending {
  readonly task: Task;
  readonly attempt: Attempt;
  began: number;
  /** Number of threads that ended for an unknown reason while they had it. Above 0, the attempt runs alone. */
  crashes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Suspects the attempts of a thread that ended for an unknown reason, such as an error in a timer. Returns the
 * numbers of those that must have ended it, or were suspected too often.
 * @param isSerial whether only the first one was running
 * @param ended number of attempts that ended in the thread: one of them could have left the timer
 */
export function suspect(
  pending: ReadonlyMap<number, Pending>,
  isSerial: boolean,
  ended: number,
): readonly number[] {
  const running = [...pending].slice(0, isSerial ? 1 : pending.size);
  const isCertain = running.length === 1 && ended === 0;
  for (const [, one] of running) one.crashes++;
  return running.filter(([, { crashes }]) => isCertain || crashes >= MOST_CRASHES).map(([id]) => id);
}

/** Returns the outcome of an attempt that ended its thread. */
export function endedThread(why: string): Outcome {
  return { error: { code: 'THREAD', message: `the thread of the function ended: ${why}` }, retry: {} };
}

/** Returns the reason a thread ended before it could work. */
export function whyEnded(exit: number): string {
  return `its thread ended (exit code ${exit}): a top-level await that never resolves, or a call of exit()?`;
}
