import { missedTime } from '../../../core/schedule/missed-time.ts';
import { MERCY } from '../../program/process-group.ts';

/** Duration after which the outputs of a command are read while it runs, in milliseconds. */
export const LONG = 20;

/** Actions on a running command. */
export interface Hands {
  /** Starts to read its outputs. @returns false if that is not possible now */
  watch(): boolean;
  /** Asks the command to end: its timeout is over. */
  ask(): void;
  /** Kills the command: it did not end when asked. */
  kill(): void;
}

/**
 * Starts the timers of a command.
 * @param timeout in milliseconds
 * @param isLong whether the command is expected to take long or to write much
 */
export function startClock(timeout: number, isLong: boolean, hands: Hands): { stop(): void } {
  let timer: NodeJS.Timeout;
  let isWatched = false;
  let end = performance.now() + timeout;
  const wait = (milliseconds: number): void => {
    timer = setTimeout(check, milliseconds, performance.now() + milliseconds);
  };
  const check = (due: number): void => {
    end += missedTime(due, timeout);
    isWatched ||= hands.watch();
    const left = Math.ceil(end - performance.now());
    if (left > 0) wait(isWatched ? left : Math.min(left, LONG));
    else {
      hands.ask();
      timer = setTimeout(() => hands.kill(), MERCY);
    }
  };
  if (isLong) check(performance.now());
  else wait(Math.min(LONG, timeout));
  return { stop: () => clearTimeout(timer) };
}
