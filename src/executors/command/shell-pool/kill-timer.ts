import { MERCY } from '../../program/process-group.ts';

/** How long a command takes whose outputs are read while it runs, in milliseconds. */
export const LONG = 20;

/** What is done while a command goes on. */
export interface Hands {
  /** Reads its outputs from now on. @returns whether that can be done now */
  watch(): boolean;
  /** Its time is over: asks it to end. */
  ask(): void;
  /** It had its time after that, too. */
  kill(): void;
}

/**
 * Does each of them when it is due, until it is stopped.
 * @param timeout how long the command may take, in milliseconds
 * @param isLong whether it is known to take long, or to write much
 */
export function startClock(timeout: number, isLong: boolean, hands: Hands): { stop(): void } {
  let timer: NodeJS.Timeout;
  const ask = (): void => {
    hands.ask();
    timer = setTimeout(() => hands.kill(), MERCY);
  };
  const watch = (left: number): void => {
    const isWatched = hands.watch();
    const next = isWatched ? left : Math.min(left, LONG);
    timer = setTimeout(next === left ? ask : watch, next, left - next);
  };
  if (isLong || timeout <= LONG) watch(timeout);
  else timer = setTimeout(watch, LONG, timeout - LONG);
  return { stop: () => clearTimeout(timer) };
}
