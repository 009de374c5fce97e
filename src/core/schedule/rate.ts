import { InvalidValue } from '../options/option.ts';
import { milliseconds } from '../options/units.ts';

/** A limit of `count` starts in `per` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly per: number;
}

/**
 * Parses `50/s`, `100/m`, `5000/h`, or `1/500ms`.
 * @throws {InvalidValue}
 */
export function toRate(typed: string): Rate {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*\/\s*(\S+)$/.exec(typed.trim()) ?? [];
  const per = milliseconds(/^\d/.test(unit) ? unit : `1${unit}`);
  if (!(Number(count) > 0) || per === undefined || per === 0)
    throw new InvalidValue('must be a rate such as 50/s, 100/m or 1/500ms');
  return { count: Number(count), per };
}

/**
 * Maximum number of windows over which an overrun of a limit is paid back. Without it, a high cost would block its
 * lane forever.
 */
export const MOST_WINDOWS = 1000;

/** Lateness of a start that the next one makes up for, in milliseconds: the resolution of timers. */
const SLACK = 10;

/** A rate limiter that spaces starts evenly (the generic cell rate algorithm, without bursts). */
export class Pacer {
  readonly #interval: number;
  /** Earliest time of the next start, in milliseconds of the caller's clock. */
  #next = 0;

  constructor(rate: Rate) {
    this.#interval = rate.per / rate.count;
  }

  /** Returns the time from `now` to the next start, in milliseconds; 0 or less if it need not wait. */
  wait(now: number): number {
    return this.#next - now;
  }

  /** Counts a start. */
  start(now: number): void {
    this.#next = Math.max(this.#next, now - SLACK) + this.#interval;
  }
}
