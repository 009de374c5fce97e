import { counted, number } from '../core/base/format.ts';
import type { CostReport, QuotaReport } from './cost-report.ts';
import { durationWords, percentWords, rateWords } from './report-words.ts';

/** Formats an amount: `1,234`, `12.35`, `0.00123`. */
export function amountWords(amount: number): string {
  if (Number.isInteger(amount) && amount < 1e15) return number(amount);
  if (amount >= 100) return number(Math.round(amount));
  return String(Number(amount.toPrecision(amount >= 10 ? 4 : 3)));
}

/** Formats a limit: `250,000/m`, `10 in 5 s`. */
export function quotaWords({ amount, per }: Pick<QuotaReport, 'amount' | 'per'>): string {
  const unit = new Map([
    [1000, 's'],
    [60_000, 'm'],
    [3_600_000, 'h'],
    [86_400_000, 'd'],
  ]).get(per);
  return unit === undefined
    ? `${amountWords(amount)} in ${durationWords(per)}`
    : `${amountWords(amount)}/${unit}`;
}

/** Formats the option of a quota: `--quota tokens=250,000/m`. */
export function quotaName({ name, rate }: { name: string; rate: { count: number; per: number } }): string {
  return `--quota ${name}=${quotaWords({ amount: rate.count, per: rate.per })}`;
}

/**
 * Returns a line about each cost, those with a budget last: the spent amount, the remaining amount, and the forecast.
 */
export function costLines(costs: readonly CostReport[]): string[] {
  const inOrder = costs.toSorted((a, b) => Number(a.budget !== undefined) - Number(b.budget !== undefined));
  return inOrder.map((cost) => {
    const { name, spent, perSecond, quotas, budget, left } = cost;
    const parts = [`${name}: ${amountWords(spent)} spent, ${amountRate(perSecond)}`];
    const each = cost.lanes.length > 1 ? ' in a lane' : '';
    for (const quota of quotas)
      parts.push(`at most ${percentWords(quota.peak, quota.amount)} of ${quotaWords(quota)}${each}`);
    if (budget !== undefined) {
      const total = `${amountWords(budget.spent)} of ${amountWords(budget.amount)}`;
      const why = budget.spent < budget.amount ? ': the next task does not fit' : '';
      parts.push(budget.isReached ? `the budget is used up (${total})${why}` : `${total} of the budget`);
    }
    if (left !== undefined)
      parts.push(`${counted(left.tasks, 'task')} left, about ${amountWords(left.cost)} to finish`);
    return parts.join('; ');
  });
}

/** Formats an amount per second, per minute if it is small. */
export function amountRate(perSecond: number): string {
  if (perSecond >= 1 || perSecond === 0) return rateWords(perSecond);
  return `${amountWords(perSecond * 60)}/min`;
}

/**
 * Returns a cost for a progress line: `tokens 1,234/s, 83% of 250,000/m` or `usd 3.21 of 120, 0.5/min, 45.2 in all`.
 * @param usedPart part of the quota that is used now
 * @param share finished part of all tasks, from 0 to 1
 */
export function costNote(cost: CostReport, usedPart: number | undefined, share: number | undefined): string {
  const { name, spent, perSecond, quotas, budget } = cost;
  const [quota] = quotas;
  const of = budget === undefined ? '' : ` ${amountWords(budget.spent)} of ${amountWords(budget.amount)},`;
  const parts = [`${name}${of} ${amountRate(perSecond)}`];
  if (quota !== undefined && usedPart !== undefined)
    parts.push(`${Math.floor(usedPart * 100)}% of ${quotaWords(quota)}`);
  if (share !== undefined && share > 0) parts.push(`${amountWords(spent / share)} in all`);
  return parts.join(', ');
}
