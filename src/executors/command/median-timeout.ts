import { Histogram } from '../../core/base/histogram.ts';

/** Number of successes before a median is taken. */
const FIRST = 3;

/** Shortest timeout, in milliseconds: the times of very short commands vary by chance. */
const SHORTEST = 100;

/** Timeout that is a percentage of the median time of the commands that succeeded. */
export class MedianTimeout {
  readonly #times = new Histogram(6);
  readonly #percent: number;
  readonly #before: number;

  /** @param before timeout until enough commands succeeded, in milliseconds */
  constructor(percent: number, before: number) {
    this.#percent = percent;
    this.#before = before;
  }

  succeeded(milliseconds: number): void {
    this.#times.record(Math.round(milliseconds));
  }

  /** Returns the timeout as of now, in milliseconds. */
  get current(): number {
    if (this.#times.count < FIRST) return this.#before;
    return Math.round(Math.max(SHORTEST, (this.#times.quantile(0.5) * this.#percent) / 100));
  }
}
