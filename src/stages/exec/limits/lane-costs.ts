import type { LaneCost } from '../../../reports/cost-report.ts';
import type { Amounts } from './cost-expressions.ts';

/** Maximum number of lanes, and the name of all others together. */
const MOST = 1000;
const OTHERS = '…';

interface Sum {
  attempts: number;
  readonly spent: number[];
}

/** Sums of actual costs, in total and by lane. */
export class LaneCosts {
  readonly #lanes = new Map<string, Sum>();
  readonly #total: Sum;

  /** @param names number of amounts */
  constructor(names: number) {
    this.#total = { attempts: 0, spent: Array<number>(names).fill(0) };
  }

  /** Number of attempts whose costs are known. */
  get attempts(): number {
    return this.#total.attempts;
  }

  /** Sums of all lanes. */
  get spent(): Amounts {
    return this.#total.spent;
  }

  /** Adds the costs of an attempt. */
  add(lane: string, costs: Amounts): void {
    const key = this.#lanes.has(lane) || this.#lanes.size < MOST ? lane : OTHERS;
    let sum = this.#lanes.get(key);
    if (sum === undefined) {
      sum = { attempts: 0, spent: costs.map(() => 0) };
      this.#lanes.set(key, sum);
    }
    for (const one of [sum, this.#total]) {
      one.attempts++;
      for (let i = 0; i < costs.length; i++) one.spent[i] = (one.spent[i] as number) + (costs[i] as number);
    }
  }

  /** Returns the sums of one amount by lane, the largest first. */
  lanes(index: number): LaneCost[] {
    return [...this.#lanes]
      .map(([lane, { attempts, spent }]) => ({ lane, attempts, spent: spent[index] as number }))
      .sort((a, b) => b.spent - a.spent);
  }
}
