import { MOST_WINDOWS, type Rate } from '../../../core/schedule/rate.ts';

/** Number of parts of a window. Charges of one part are released together, up to 1/256 of the window late. */
const PARTS = 256;

/** Part of the limit by which rounding errors of sums may exceed it. */
const ROUNDING = 1e-9;

interface Part {
  readonly index: number;
  amount: number;
}

/**
 * Account of a limit in any sliding window: the sliding window log that the documentation of Redis describes, whose
 * entries are merged per part of the window. The sum of charges in a window is at most the limit; a single charge
 * above it starts with an empty window. Overruns, for example after a corrected charge, are paid back: the account
 * waits until the limit has made up for them.
 */
export class SlidingWindow {
  readonly limit: number;
  readonly #per: number;
  readonly #width: number;
  /** Charges of the window, the oldest first. */
  readonly #parts: Part[] = [];
  #sum = 0;
  /**
   * Time for which the clock of the account has stood still to pay back overruns, and the time from which it
   * continues.
   */
  #lag = 0;
  #resume = 0;

  /** @param rate limit and window; `per` in milliseconds */
  constructor({ count, per }: Rate) {
    this.limit = count;
    this.#per = per;
    this.#width = per / PARTS;
  }

  /** Returns the time from `now` until an amount can be charged, in milliseconds; 0 if at once. */
  wait(now: number, amount: number): number {
    this.#release(now);
    const room = this.limit * (1 + ROUNDING) - Math.min(amount, this.limit);
    let left = this.#sum;
    let wait = Math.max(0, this.#resume - now);
    for (const part of this.#parts) {
      if (left <= room) break;
      left -= part.amount;
      wait = Math.max(wait, this.#end(part) + this.#lag - now);
    }
    return wait;
  }

  /** Charges an amount. Returns the part that it is in, for `correct`. */
  charge(now: number, amount: number): number {
    this.#release(now);
    const index = Math.floor(this.#clock(now) / this.#width);
    let last = this.#parts.at(-1);
    if (last?.index !== index) {
      last = { index, amount: 0 };
      this.#parts.push(last);
    }
    last.amount += amount;
    this.#sum += amount;
    const over = this.#sum - this.limit * (1 + ROUNDING);
    if (over > 0) this.#payBack(now, last, over);
    return index;
  }

  /**
   * Corrects a charge. A higher cost is charged now; a lower one is refunded, unless the window has released it.
   * @param index part that the charge is in
   */
  correct(now: number, index: number, difference: number): void {
    if (difference > 0) this.charge(now, difference);
    if (difference >= 0) return;
    this.#release(now);
    const part = this.#parts.find((one) => one.index === index);
    if (part === undefined) return;
    const given = Math.min(part.amount, -difference);
    part.amount -= given;
    this.#sum -= given;
    const pause = Math.min(this.#pauseFor(-difference - given), Math.max(0, this.#resume - now));
    this.#resume -= pause;
    this.#lag -= pause;
  }

  /** Returns the sum of the charges in the window that ends now. */
  used(now: number): number {
    this.#release(now);
    return this.#sum;
  }

  /** Returns whether nothing is charged. */
  isIdle(now: number): boolean {
    return this.used(now) === 0 && now >= this.#resume;
  }

  /** Turns the excess over the limit into a pause of the clock. */
  #payBack(now: number, last: Part, over: number): void {
    last.amount -= over;
    this.#sum -= over;
    const pause = this.#pauseFor(over);
    this.#resume = Math.max(this.#resume, now) + pause;
    this.#lag += pause;
  }

  #pauseFor(amount: number): number {
    return Math.min(amount / this.limit, MOST_WINDOWS) * this.#per;
  }

  /** Returns the time of the account's clock. */
  #clock(now: number): number {
    return Math.max(now, this.#resume) - this.#lag;
  }

  /** Returns the time at which the window releases a part, by the account's clock. */
  #end({ index }: Part): number {
    return (index + 1) * this.#width + this.#per;
  }

  #release(now: number): void {
    const time = this.#clock(now);
    for (
      let first = this.#parts[0];
      first !== undefined && this.#end(first) <= time;
      first = this.#parts[0]
    ) {
      this.#sum -= first.amount;
      this.#parts.shift();
    }
    if (this.#parts.length === 0) this.#sum = 0;
  }
}
