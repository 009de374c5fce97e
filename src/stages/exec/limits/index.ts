/*
 * Limits of a stage: quotas in sliding windows, budgets, and the state of the machine. Owns the accounts and the file
 * of a budget. Must not know how tasks are scheduled or run: the stage asks before an attempt, and reports its
 * outcome.
 */
import { TaskpipeError } from '../../../core/base/errors.ts';
import { number } from '../../../core/base/format.ts';
import type { Task } from '../../../core/record/task.ts';
import { compileTemplate } from '../../../core/record/template.ts';
import { MOST_WINDOWS } from '../../../core/schedule/rate.ts';
import { amountWords, quotaName } from '../../../reports/cost-words.ts';
import { Budget } from './budget.ts';
import { BudgetFile } from './budget-file.ts';
import { CostModel, type MostCost } from './cost-expressions.ts';
import type { BudgetLimit, CostExpression, Quota } from './limit-options.ts';
import { Limits } from './limits.ts';
import { Quotas } from './quotas.ts';

export { limitOptions } from './limit-options.ts';
export type { Limits } from './limits.ts';
export type { FurtherCall } from './waiting-calls.ts';

/** Options from which limits are made. */
export interface LimitValues {
  readonly quota: readonly Quota[];
  readonly cost: readonly CostExpression[];
  readonly budget: readonly BudgetLimit[];
  readonly budgetFile: string | undefined;
  /** Key of the result in a record. */
  readonly as: string;
  /** Writes a message about a long wait. Default: none is written. */
  readonly info?: ((message: string) => void) | undefined;
}

/**
 * Opens the limits that the options ask for; undefined if they ask for none.
 * @throws {TaskpipeError} `USAGE` if options are missing or invalid, `DATA` or `IO` for the file of a budget
 */
export function openLimits({ quota, cost, budget, budgetFile, as, info }: LimitValues): Limits | undefined {
  if (budgetFile !== undefined && budget.length === 0)
    throw new TaskpipeError('USAGE', "--budget-file needs --budget, as in --budget 'usd=120'");
  if (quota.length + cost.length + budget.length === 0) return undefined;
  const names = budget.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new TaskpipeError('USAGE', `--budget gives ${twice} twice; give it once`);
  const mosts = [...budget.map(mostOfBudget), ...quota.map(mostOfQuota)];
  const model = new CostModel([...quota.map(({ name }) => name), ...names], cost, as, mosts);
  const file = budgetFile === undefined ? undefined : new BudgetFile(budgetFile, names);
  const amounts = budget.map(({ amount }) => amount);
  return new Limits({
    model,
    info,
    quotas: new Quotas(quota, model.names),
    budget: names.length === 0 ? undefined : new Budget(amounts, file),
    budgetOf: names.map((name) => model.names.indexOf(name)),
  });
}

function mostOfBudget({ name, amount }: BudgetLimit): MostCost {
  return { name, most: amount, limit: `the whole --budget ${name}=${amountWords(amount)}` };
}

function mostOfQuota(quota: Quota): MostCost {
  const { name, rate } = quota;
  return {
    name,
    most: rate.count * MOST_WINDOWS,
    limit: `${number(MOST_WINDOWS)} times ${quotaName(quota)}`,
  };
}

/** Returns the function that returns the lane of a task by `--lane`. Tasks without its attributes share one lane. */
export function laneBy(template: string): (task: Task) => string {
  const compiled = compileTemplate(template);
  return (task) => {
    const lane = compiled.expand(task);
    return typeof lane === 'string' ? lane : '';
  };
}
