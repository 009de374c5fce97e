/** Costs of a run by one name, such as `tokens`. */
export interface CostReport {
  readonly name: string;
  /** Sum of the run, and sum per second. */
  readonly spent: number;
  readonly perSecond: number;
  /** Mean of an attempt. */
  readonly mean: number;
  /** Limits in a window of time, from `--quota`. */
  readonly quotas: readonly QuotaReport[];
  /** Limit of the sum, from `--budget`; absent if there is none. */
  readonly budget?: BudgetReport;
  /** Unfinished tasks that were read, and the estimated cost to finish them; absent if there are none. */
  readonly left?: { readonly tasks: number; readonly cost: number };
  /** Lanes, the one with the largest sum first. At most 1,000; further ones are counted as `…`. */
  readonly lanes: readonly LaneCost[];
}

export interface QuotaReport {
  readonly amount: number;
  /** Length of the window, in milliseconds. */
  readonly per: number;
  /** Largest sum of one lane in a window. It includes estimates that are not corrected yet. */
  readonly peak: number;
}

export interface BudgetReport {
  readonly amount: number;
  /** Sum of all runs and processes that share the file of the budget. */
  readonly spent: number;
  /** True if no more tasks started, because it would have been exceeded. */
  readonly isReached: boolean;
}

export interface LaneCost {
  readonly lane: string;
  readonly attempts: number;
  readonly spent: number;
}
