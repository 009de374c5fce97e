import { missedTime } from '../../../core/schedule/missed-time.ts';
import { MERCY } from '../../program/process-group.ts';
import type { ShellJob } from './job.ts';

/** Duration after which the outputs of a command are read while it runs, in milliseconds. */
export const LONG = 20;

/** Longest time between two looks at a timeout that may change, in milliseconds. */
const LOOK = 250;

/** Actions on a running command. */
export interface Hands {
  /** Starts to read its outputs. @returns false if that is not possible now */
  watch(): boolean;
  /** Asks the command to end: its timeout is over, or it is cancelled. */
  ask(): void;
  /** Kills the command: it did not end when asked. */
  kill(): void;
}

/**
 * Starts the timers of a command.
 * @param timeout in milliseconds; a function if it may change
 * @param cancelled ends the command at once
 * @param isLong whether the command is expected to take long or to write much
 */
export function startKillTimer(
  timeout: ShellJob['timeout'],
  cancelled: AbortSignal | undefined,
  isLong: boolean,
  hands: Hands,
): { stop(): void } {
  let timer: NodeJS.Timeout;
  let isWatched = false;
  let since = performance.now();
  const limit = typeof timeout === 'number' ? () => timeout : timeout;
  const most = typeof timeout === 'number' ? timeout : LOOK;
  // Each step reads the clock only once, because the process may be suspended between any two lines.
  const wait = (now: number, milliseconds: number): void => {
    timer = setTimeout(check, milliseconds, now + milliseconds);
  };
  const check = (due: number): void => {
    const now = performance.now();
    const missed = missedTime(due, limit(), now);
    if (missed > 0) since = Math.max(since, now + missed - limit());
    isWatched ||= hands.watch();
    const left = Math.ceil(since + limit() - now);
    if (left > 0) wait(now, Math.min(left, isWatched ? most : LONG));
    else end();
  };
  const end = (): void => {
    clearTimeout(timer);
    hands.ask();
    timer = setTimeout(() => hands.kill(), MERCY);
  };
  if (isLong) check(since);
  else wait(since, Math.min(LONG, limit()));
  cancelled?.addEventListener('abort', end);
  return {
    stop() {
      clearTimeout(timer);
      cancelled?.removeEventListener('abort', end);
    },
  };
}
