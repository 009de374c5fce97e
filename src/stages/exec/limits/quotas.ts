import type { QuotaReport } from '../../../reports/cost-report.ts';
import type { Amounts } from './cost-expressions.ts';
import type { Quota } from './limit-options.ts';
import { SlidingWindow } from './sliding-window.ts';

/** Number of lanes beyond which the accounts of idle ones are dropped. */
const LANES = 10_000;

/** Accounts of all quotas, one for each lane. */
export class Quotas {
  readonly #quotas: readonly Quota[];
  /** Index of the cost of each quota. */
  readonly #costs: readonly number[];
  readonly #lanes = new Map<string, readonly SlidingWindow[]>();
  readonly #peaks: number[];

  /** @param names names of the costs, in their order */
  constructor(quotas: readonly Quota[], names: readonly string[]) {
    this.#quotas = quotas;
    this.#costs = quotas.map(({ name }) => names.indexOf(name));
    this.#peaks = quotas.map(() => 0);
  }

  /** Returns the time until the costs can be charged to a lane, in milliseconds; 0 if at once. */
  wait(lane: string, costs: Amounts, now: number): number {
    const windows = this.#windowsOf(lane, now);
    let wait = 0;
    for (let i = 0; i < windows.length; i++) {
      const window = windows[i] as SlidingWindow;
      wait = Math.max(wait, window.wait(now, costs[this.#costs[i] as number] as number));
    }
    return wait;
  }

  /** Returns the quota that a lane waits for longest. */
  longest(lane: string, costs: Amounts, now: number): Quota | undefined {
    let [found, most]: [Quota | undefined, number] = [undefined, 0];
    for (const [i, window] of this.#windowsOf(lane, now).entries()) {
      const wait = window.wait(now, costs[this.#costs[i] as number] as number);
      if (wait > most) [found, most] = [this.#quotas[i], wait];
    }
    return found;
  }

  /** Charges the costs of an attempt. Returns their places, for `correct`. */
  charge(lane: string, costs: Amounts, now: number): readonly number[] {
    return this.#windowsOf(lane, now).map((window, i) => {
      const index = window.charge(now, costs[this.#costs[i] as number] as number);
      this.#peaks[i] = Math.max(this.#peaks[i] as number, window.used(now));
      return index;
    });
  }

  /** Replaces charged costs with other ones. Returns whether a part was refunded. */
  correct(lane: string, places: readonly number[], from: Amounts, to: Amounts, now: number): boolean {
    let isLess = false;
    for (const [i, window] of this.#windowsOf(lane, now).entries()) {
      const cost = this.#costs[i] as number;
      const difference = (to[cost] as number) - (from[cost] as number);
      window.correct(now, places[i] as number, difference);
      if (difference < 0) isLess = true;
    }
    return isLess;
  }

  /** Returns the figures of the quotas of a cost. */
  reports(cost: number): QuotaReport[] {
    return this.#quotas.flatMap(({ rate }, i) =>
      this.#costs[i] === cost ? [{ amount: rate.count, per: rate.per, peak: this.#peaks[i] as number }] : [],
    );
  }

  /** Returns the largest part of a quota of a cost that a lane has used up now, from 0 to 1; undefined if it has none. */
  usedPart(cost: number, now: number): number | undefined {
    let most: number | undefined;
    for (const windows of this.#lanes.values()) {
      for (const [i, window] of windows.entries())
        if (this.#costs[i] === cost) most = Math.max(most ?? 0, window.used(now) / window.limit);
    }
    return most;
  }

  #windowsOf(lane: string, now: number): readonly SlidingWindow[] {
    let windows = this.#lanes.get(lane);
    if (windows === undefined) {
      if (this.#lanes.size >= LANES) this.#forgetIdle(now);
      windows = this.#quotas.map(({ rate }) => new SlidingWindow(rate));
      this.#lanes.set(lane, windows);
    }
    return windows;
  }

  #forgetIdle(now: number): void {
    for (const [lane, windows] of this.#lanes)
      if (windows.every((window) => window.isIdle(now))) this.#lanes.delete(lane);
  }
}
