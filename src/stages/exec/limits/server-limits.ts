import type { ToldLimit } from '../../../executors/contract.ts';
import type { Amounts } from './cost-expressions.ts';

/** Number of lanes beyond which old ones are dropped. */
const LANES = 10_000;

interface Left {
  amount: number;
  /** Time of the reset, by `performance.now()`. */
  readonly until: number;
}

/**
 * Limits that servers reported in their answers, by lane: those of the latest answer, minus the costs of attempts
 * started since.
 */
export class ToldLimits {
  readonly #names: readonly string[];
  /** Amounts that are left of each cost; undefined if the server named none. */
  readonly #lanes = new Map<string, (Left | undefined)[]>();

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** Takes the limits of an answer. */
  take(lane: string, told: readonly ToldLimit[], now: number): void {
    for (const { name, left, wait } of told) {
      const index = this.#names.indexOf(name);
      if (index < 0) continue;
      const lefts = this.#lanes.get(lane) ?? [];
      lefts[index] = { amount: left, until: now + wait };
      this.#lanes.delete(lane);
      this.#lanes.set(lane, lefts);
    }
    const [oldest] = this.#lanes.keys();
    if (this.#lanes.size > LANES && oldest !== undefined) this.#lanes.delete(oldest);
  }

  /** Returns the time until the server has room for the costs, in milliseconds; 0 if it has room. */
  wait(lane: string, costs: Amounts, now: number): number {
    let wait = 0;
    for (const [i, left] of (this.#lanes.get(lane) ?? []).entries()) {
      if (left !== undefined && left.until > now && left.amount < (costs[i] as number))
        wait = Math.max(wait, left.until - now);
    }
    return wait;
  }

  /** Counts an attempt that starts. */
  charge(lane: string, costs: Amounts): void {
    for (const [i, left] of (this.#lanes.get(lane) ?? []).entries())
      if (left !== undefined) left.amount -= costs[i] as number;
  }
}
