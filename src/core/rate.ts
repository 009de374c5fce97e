import { milliseconds, Rule } from './option.ts';

/** At most `count` starts in `per` milliseconds. */
export interface Rate {
  readonly count: number;
  readonly per: number;
}

/**
 * Parses `50/s`, `100/m`, `5000/h`, or `1/500ms`.
 * @throws {Rule}
 */
export function toRate(typed: string): Rate {
  const [, count = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*\/\s*(\S+)$/.exec(typed.trim()) ?? [];
  const per = milliseconds(/^\d/.test(unit) ? unit : `1${unit}`);
  if (!(Number(count) > 0) || per === undefined || per === 0)
    throw new Rule('must be a rate such as 50/s, 100/m or 1/500ms');
  return { count: Number(count), per };
}

/** How far a start may be behind its time and still be made up for, in milliseconds: timers are no finer. */
const SLACK = 10;

/** Spaces starts evenly (the generic cell rate algorithm, without a burst). */
export class Pacer {
  readonly #interval: number;
  /** When the next one may start, in milliseconds of the clock that is used. */
  #next = 0;

  constructor(rate: Rate) {
    this.#interval = rate.per / rate.count;
  }

  /** How long the next start has to wait, from `now`; 0 or less: not at all. */
  wait(now: number): number {
    return this.#next - now;
  }

  /** Counts a start. */
  start(now: number): void {
    this.#next = Math.max(this.#next, now - SLACK) + this.#interval;
  }
}
