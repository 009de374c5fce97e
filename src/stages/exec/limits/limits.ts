import type { Failure, Task } from '../../../core/record/task.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { Outcome } from '../../../executors/contract.ts';
import type { BudgetReport, CostReport } from '../../../reports/cost-report.ts';
import { costNote, quotaName } from '../../../reports/cost-words.ts';
import type { Budget } from './budget.ts';
import type { Amounts, CostModel } from './cost-expressions.ts';
import { LaneCosts } from './lane-costs.ts';
import type { Quota } from './limit-options.ts';
import { CHEAPER, LongWaits } from './long-waits.ts';
import type { Quotas } from './quotas.ts';
import { ToldLimits } from './server-limits.ts';
import { type FurtherCall, WaitingCalls } from './waiting-calls.ts';

/** Parts from which limits are made. */
export interface LimitParts {
  readonly model: CostModel;
  readonly quotas: Quotas;
  /** Account of the budgets; undefined if there are none. Its amounts are those of `budgetOf`. */
  readonly budget: Budget | undefined;
  /** Index of the cost of each budget. */
  readonly budgetOf: readonly number[];
  /** Writes a message. Default: none are written. */
  readonly info?: ((message: string) => void) | undefined;
}

/** Estimate of a running attempt, and its places in the accounts of the quotas. */
interface Charge {
  readonly estimate: Amounts;
  readonly places: readonly number[];
}

/** Limits of the costs of tasks: decides whether an attempt may start, and corrects the accounts when it ends. */
export class Limits {
  readonly #parts: LimitParts;
  /** Estimates of tasks that wait, or are next. */
  readonly #estimates = new WeakMap<Job, Amounts | Failure>();
  readonly #charges = new Map<Job, Charge>();
  /** Lanes that wait for a running attempt to refund a part of the budget, or for a further call of a batch. */
  readonly #held = new Set<Lane>();
  readonly #calls = new WaitingCalls();
  readonly #costs: LaneCosts;
  readonly #told: ToldLimits;
  /** Messages about long waits, also for limits that machines share. */
  readonly longWaits: LongWaits;
  /** Sums of the estimates of the tasks in `#costs`, without their retries. */
  readonly #estimated: number[];
  readonly #left: { tasks: number; readonly costs: number[] };
  readonly #began = performance.now();
  #isOver = false;
  /** For each budget, whether it ended the run. */
  #reached: readonly boolean[] = [];
  #fault: unknown;

  constructor(parts: LimitParts) {
    this.#parts = parts;
    const { names } = parts.model;
    this.#costs = new LaneCosts(names.length);
    this.#told = new ToldLimits(names);
    this.longWaits = new LongWaits(parts.info ?? (() => {}));
    this.#estimated = names.map(() => 0);
    this.#left = { tasks: 0, costs: names.map(() => 0) };
  }

  /** Costs of tasks. */
  get model(): CostModel {
    return this.#parts.model;
  }

  /** True if no more attempts start: a budget would be exceeded, or its file cannot be written. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** True if tasks wait for a refund from another attempt. */
  get isHeld(): boolean {
    return this.#held.size > 0;
  }

  /** Error that ended the stage; undefined if there is none. */
  get fault(): unknown {
    return this.#fault;
  }

  /**
   * Charges the estimate of an attempt that is next in its lane.
   * @param now `performance.now()`
   * @returns 0 if it may start, else the time to wait in milliseconds; infinity if another attempt must end first
   */
  wait(job: Job, now: number): number {
    const estimate = this.#estimateOf(job);
    if ('code' in estimate) return 0; // the task fails when it starts
    const lane = job.home.key;
    if (this.#calls.hasPriority(lane)) {
      this.#held.add(job.home);
      return Number.POSITIVE_INFINITY;
    }
    const wait = this.#waitOf(lane, estimate, now);
    if (wait > 0) return wait;
    if (!this.#take(estimate)) {
      this.#held.add(job.home);
      if (this.#charges.size === 0) this.#end(estimate);
      return Number.POSITIVE_INFINITY;
    }
    this.#charge(job, estimate, now);
    return 0;
  }

  /**
   * Charges the estimates of all tasks of a further call of a batch. The costs of the call before it are counted first.
   * @param isAlone true if no other call runs, so that no refund is expected
   * @returns as `wait`
   */
  waitAgain(call: FurtherCall, now: number, isAlone: boolean): number {
    const estimates = call.jobs.map((job) => this.#estimateOf(job) as Amounts);
    const lane = (call.jobs[0] as Job).home.key;
    const sum = this.model.names.map((_, i) => estimates.reduce((all, one) => all + (one[i] as number), 0));
    const isLater = this.#calls.hasPriority(lane, call);
    const wait = isLater ? 0 : this.#waitOf(lane, sum, now);
    if (isLater || wait > 0 || !this.#take(sum)) {
      const isForBudget = !isLater && wait <= 0;
      this.#calls.add(call, { lane, isForBudget });
      if (isForBudget && isAlone) this.#end(sum);
      return isLater || isForBudget ? Number.POSITIVE_INFINITY : wait;
    }
    for (const [i, job] of call.jobs.entries()) this.#charge(job, estimates[i] as Amounts, now);
    this.waitsNoMore(call);
    return 0;
  }

  /** Lets tasks start that waited for a further call of a batch. */
  waitsNoMore(call: FurtherCall): void {
    if (this.#calls.remove(call)) this.#release();
  }

  /** Returns the outcome of a task whose cost cannot be estimated. */
  faultOf(job: Job): Outcome | undefined {
    const estimate = this.#estimates.get(job);
    return estimate !== undefined && 'code' in estimate ? { error: estimate } : undefined;
  }

  /**
   * Corrects the accounts after an attempt, or after it was given up.
   * @param outcome outcome of the attempt; undefined if it was not made
   */
  ended(job: Job, outcome: Outcome | undefined): void {
    const charge = this.#charges.get(job);
    if (charge === undefined) return;
    this.#charges.delete(job);
    const { estimate, places } = charge;
    if (outcome?.told !== undefined) this.#told.take(job.home.key, outcome.told, performance.now());
    const none = estimate.map(() => 0);
    const isFree = outcome === undefined || outcome.isStored === true;
    const real = isFree ? none : this.#parts.model.after(job.task, outcome, estimate);
    // A refused request counts against most rate limits, but costs no money.
    const paid = outcome?.retry?.pauseLane === true ? none : real;
    const now = performance.now();
    if (this.#parts.quotas.correct(job.home.key, places, estimate, real, now)) job.home.heldUntil = 0;
    this.#settle(estimate, paid);
    if (isFree) return;
    this.#costs.add(job.home.key, paid);
    if (paid === none || outcome.retry !== undefined) return; // the next attempt stands for the task in the forecast
    for (const [i, amount] of estimate.entries())
      this.#estimated[i] = (this.#estimated[i] as number) + amount;
  }

  /** Counts a task that comes out unfinished. */
  left(task: Task): void {
    const estimate = this.#parts.model.before(task);
    this.#left.tasks++;
    if ('code' in estimate) return;
    const { costs } = this.#left;
    for (const [i, amount] of estimate.entries()) costs[i] = (costs[i] as number) + amount;
  }

  /** Returns the costs so far. @param ms duration of the run, in milliseconds */
  report(ms: number): CostReport[] {
    const { model, quotas, budget, budgetOf } = this.#parts;
    const { attempts, spent } = this.#costs;
    return model.names.map((name, i) => {
      const sum = spent[i] as number;
      const at = budgetOf.indexOf(i);
      const { tasks } = this.#left;
      return {
        name,
        spent: sum,
        perSecond: sum / Math.max(0.001, ms / 1000),
        mean: attempts === 0 ? 0 : sum / attempts,
        quotas: quotas.reports(i),
        ...(budget !== undefined && at >= 0 && { budget: this.#budgetReport(budget, at) }),
        ...(tasks > 0 && { left: { tasks, cost: this.#forecast(i) } }),
        lanes: this.#costs.lanes(i),
      };
    });
  }

  /**
   * Returns the costs so far for a progress line, in ASCII.
   * @param share finished part of all tasks, from 0 to 1, if it is known: a budget is then forecast
   */
  notes(share?: number): string[] {
    const { quotas, model } = this.#parts;
    const now = performance.now();
    return this.report(now - this.#began).map((cost) =>
      costNote(cost, quotas.usedPart(model.names.indexOf(cost.name), now), share),
    );
  }

  /** Writes the spending, and closes the file of the budget. @throws {TaskpipeError} `IO` */
  close(): void {
    this.#parts.budget?.close();
  }

  #budgetReport({ limits, spent }: Budget, at: number): BudgetReport {
    return {
      amount: limits[at] as number,
      spent: spent[at] as number,
      isReached: this.#reached[at] === true,
    };
  }

  /** Returns the cost of the unfinished tasks: their estimates, corrected by the average error of those before. */
  #forecast(index: number): number {
    const estimated = this.#estimated[index] as number;
    const ratio = estimated > 0 ? (this.#costs.spent[index] as number) / estimated : 1;
    return (this.#left.costs[index] as number) * ratio;
  }

  #estimateOf(job: Job): Amounts | Failure {
    let estimate = this.#estimates.get(job);
    if (estimate === undefined) {
      estimate = this.#parts.model.before(job.task);
      this.#estimates.set(job, estimate);
    }
    return estimate;
  }

  /** Returns the time until the quotas and the server of a lane have room for costs, in milliseconds. */
  #waitOf(lane: string, costs: Amounts, now: number): number {
    const { quotas } = this.#parts;
    const own = quotas.wait(lane, costs, now);
    const told = this.#told.wait(lane, costs, now);
    const wait = Math.max(own, told);
    if (told > own) this.longWaits.note(wait, lane, () => 'the limit that the server reported');
    else this.longWaits.note(wait, lane, () => quotaName(quotas.longest(lane, costs, now) as Quota), CHEAPER);
    return wait;
  }

  #take(estimate: Amounts): boolean {
    const { budget, budgetOf } = this.#parts;
    if (budget === undefined) return true;
    return this.#guarded(() => budget.take(budgetOf.map((i) => estimate[i] as number))) ?? false;
  }

  /** Starts no more attempts, because an estimate does not fit a budget. */
  #end(estimate: Amounts): void {
    const { budget, budgetOf } = this.#parts;
    this.#isOver = true;
    this.#reached = budget?.exceeded(budgetOf.map((i) => estimate[i] as number)) ?? [];
  }

  #settle(estimate: Amounts, real: Amounts): void {
    const { budget, budgetOf } = this.#parts;
    if (budget === undefined) return;
    const own = (amounts: Amounts): number[] => budgetOf.map((i) => amounts[i] as number);
    this.#guarded(() => budget.settle(own(estimate), own(real)));
    this.#release();
  }

  #charge(job: Job, estimate: Amounts, now: number): void {
    const lane = job.home.key;
    this.#told.charge(lane, estimate);
    this.#charges.set(job, { estimate, places: this.#parts.quotas.charge(lane, estimate, now) });
  }

  #release(): void {
    for (const lane of this.#held) lane.heldUntil = 0;
    this.#held.clear();
  }

  /** Calls a function. An error of the file ends the stage. */
  #guarded<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#fault ??= error;
      this.#isOver = true;
      return undefined;
    }
  }
}
