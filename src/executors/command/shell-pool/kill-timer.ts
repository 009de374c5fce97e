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
export function startKillTimer(timeout: number, isLong: boolean, hands: Hands): { stop(): void } {
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
