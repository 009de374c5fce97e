import type { BudgetFile } from './budget-file.ts';
import type { Amounts } from './cost-expressions.ts';

/** Part of a limit by which rounding errors of sums may exceed it. */
const ROUNDING = 1e-9;

/** Time between two claims above which no amount is claimed ahead, in milliseconds. */
const SELDOM = 50;

/** Maximum part of a budget to claim ahead: after a process is killed, this amount counts as spent. */
const MOST_AHEAD = 0.01;

/**
 * Account of the total spending. An estimate is held while its attempt runs, and then replaced by the actual cost. If
 * there is a file, the sum of both is in it before an attempt starts. Attempts that start in quick succession are
 * claimed ahead together, since each claim waits for the disk.
 */
export class Budget {
  /** Limit of each amount; infinity if it has none. */
  readonly limits: Amounts;
  readonly #file: BudgetFile | undefined;
  #spent: number[];
  #held: number[];
  /** Latest claim in the file. */
  #claimed: Amounts;
  #claimedAt = Number.NEGATIVE_INFINITY;
  #ahead = 0;

  constructor(limits: Amounts, file: BudgetFile | undefined) {
    this.limits = limits;
    this.#file = file;
    this.#spent = limits.map(() => 0);
    this.#held = limits.map(() => 0);
    this.#claimed = this.#spent;
  }

  /** Sums of the spending, including that of earlier runs and other processes. */
  get spent(): Amounts {
    return plus(this.#spent, this.#file?.others ?? []);
  }

  /** Holds the estimate of an attempt. Returns false if a limit would be exceeded. @throws {TaskpipeError} `IO` */
  take(estimate: Amounts): boolean {
    const wanted = plus(plus(this.#spent, this.#held), estimate);
    if (!this.#isAllowed(wanted, estimate)) return false;
    this.#held = plus(this.#held, estimate);
    return true;
  }

  /** Returns for each amount whether an estimate would exceed its limit if no more is refunded. */
  exceeded(estimate: Amounts): boolean[] {
    const wanted = plus(plus(plus(this.#spent, this.#held), estimate), this.#file?.others ?? []);
    return wanted.map((amount, i) => amount > (this.limits[i] as number) * (1 + ROUNDING));
  }

  /** Replaces a held estimate with the actual cost. @throws {TaskpipeError} `IO` */
  settle(estimate: Amounts, real: Amounts): void {
    this.#held = this.#held.map((held, i) => Math.max(0, held - (estimate[i] as number)));
    this.#spent = plus(this.#spent, real);
    const sum = plus(this.#spent, this.#held);
    if (this.#file !== undefined && !fits(sum, this.#claimed)) this.#write(sum);
  }

  /** Writes the spending, and closes the file. @throws {TaskpipeError} `IO` */
  close(): void {
    if (this.#file === undefined) return;
    const sum = plus(this.#spent, this.#held);
    if (sum.some((amount, i) => amount !== this.#claimed[i])) this.#write(sum);
    this.#file.close();
  }

  #isAllowed(wanted: Amounts, estimate: Amounts): boolean {
    if (this.#file === undefined) return fits(wanted, this.limits);
    if (fits(wanted, this.#claimed)) return true;
    const isQuick = performance.now() - this.#claimedAt < SELDOM;
    this.#ahead = isQuick ? Math.min(this.#ahead * 2 + 1, this.#mostAhead(estimate)) : 0;
    const ahead = estimate.map((amount) => amount * this.#ahead);
    return (this.#ahead > 0 && this.#claim(plus(wanted, ahead))) || this.#claim(wanted);
  }

  /** Returns the number of attempts with such an estimate that may be claimed ahead. */
  #mostAhead(estimate: Amounts): number {
    const parts = this.limits.map((limit, i) => (limit * MOST_AHEAD) / (estimate[i] as number));
    return Math.floor(Math.min(...parts));
  }

  /** Claims a sum, and takes the claim back if a limit would be exceeded. */
  #claim(sum: Amounts): boolean {
    const before = this.#claimed;
    if (!fits(plus(sum, this.#file?.others ?? []), this.limits)) return false;
    const others = this.#write(sum);
    if (fits(plus(sum, others), this.limits)) return true;
    this.#write(before);
    return false;
  }

  #write(sum: Amounts): Amounts {
    const others = this.#file?.claim(sum) ?? [];
    this.#claimed = sum;
    this.#claimedAt = performance.now();
    return others;
  }
}

function plus(a: Amounts, b: Amounts): number[] {
  return a.map((amount, i) => amount + (b[i] ?? 0));
}

function fits(amounts: Amounts, limits: Amounts): boolean {
  return amounts.every((amount, i) => amount <= (limits[i] as number) * (1 + ROUNDING));
}
