import { InvalidValue } from '../../core/options/option.ts';
import type { ExecCounts } from './contract.ts';

/** Number of tasks, or percentage of the finished ones. */
export type Limit = { readonly count: number } | { readonly percent: number };

/** Condition that ends a stage before the end of its input. */
export interface Halt {
  /** `now` aborts running tasks, `soon` lets them finish. */
  readonly when: 'now' | 'soon';
  readonly what: 'success' | 'fail';
  readonly limit: Limit;
}

/**
 * Parses `now,success=1` or `soon,fail=10%`.
 * @throws {InvalidValue}
 */
export function toHalt(typed: string): Halt {
  const [, when, what, limit = ''] = /^(now|soon),(success|fail)=(\d+%?)$/.exec(typed) ?? [];
  if (when === undefined)
    throw new InvalidValue(
      'must be now or soon, and success=N or fail=N, as in now,success=1 or soon,fail=10%',
    );
  return { when: when as Halt['when'], what: what as Halt['what'], limit: toLimit(limit) };
}

/**
 * Parses `100` or `5%`.
 * @throws {InvalidValue}
 */
export function toLimit(typed: string): Limit {
  const [, digits = '', sign] = /^(\d+)(%?)$/.exec(typed) ?? [];
  const limit = Number(digits);
  if (digits === '' || limit < 1 || (sign === '%' && limit > 100))
    throw new InvalidValue('must be a number or a percentage, as in 100 or 5%');
  return sign === '%' ? { percent: limit } : { count: limit };
}

/** Number of tasks that must be finished before a percentage is judged. */
const FIRST_JUDGED = 100;

/** Options by which a stage ends before the end of its input. */
interface HaltOptions {
  readonly maxFailures?: Limit | undefined;
  readonly halt?: Halt | undefined;
}

/**
 * Returns whether a stage ends now that a task has ended, and how, and notes the reason in its counts.
 * @param isFailure true if the task failed
 * @returns undefined if the stage goes on
 */
export function haltAfter(
  isFailure: boolean,
  counts: ExecCounts,
  { maxFailures, halt }: HaltOptions,
): Halt['when'] | undefined {
  if (isFailure && maxFailures !== undefined && isReached(counts, 'fail', maxFailures)) {
    counts.hasTooManyFailures = true;
    return 'soon';
  }
  if (halt === undefined || isFailure !== (halt.what === 'fail')) return undefined;
  if (!isReached(counts, halt.what, halt.limit)) return undefined;
  counts.isReached = halt.what === 'success';
  return halt.when;
}

/** Returns whether this many tasks succeeded or failed. */
function isReached({ failed, succeeded }: ExecCounts, what: Halt['what'], limit: Limit): boolean {
  const number = what === 'fail' ? failed : succeeded;
  if ('count' in limit) return number >= limit.count;
  const all = failed + succeeded;
  return all >= FIRST_JUDGED && number * 100 >= limit.percent * all;
}
