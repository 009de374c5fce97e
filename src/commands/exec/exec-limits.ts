import { availableParallelism } from 'node:os';
import { duration, InvalidValue } from '../../core/options/option.ts';

/** Timeout in milliseconds, or as a percentage of the median time. */
export type Timeout = number | { readonly percent: number };

const aDuration = duration('', { default: 0, shown: '', min: 1 });

/**
 * Parses `--timeout`: a duration, or a percentage of the median time.
 * @throws {InvalidValue}
 */
export function toTimeout(typed: string): Timeout {
  const [, digits] = /^(\d+)%$/.exec(typed.trim()) ?? [];
  if (digits === undefined) return aDuration.parse(typed) as number;
  if (Number(digits) <= 100) throw new InvalidValue('must be a duration, or more than 100%');
  return { percent: Number(digits) };
}

/**
 * Parses `--jobs`: a number, a percentage of the processors that this process may use, or a number to add to these.
 * @throws {InvalidValue}
 */
export function toJobs(typed: string): number {
  const [, plus, digits = '', percent] = /^(\+?)(\d+)(%?)$/.exec(typed) ?? [];
  const number = Number(digits);
  if (digits === '' || (plus && percent) || (!plus && number < 1) || !Number.isSafeInteger(number))
    throw new InvalidValue('must be a whole number of at least 1, a percentage such as 50%, or +N');
  if (plus) return availableParallelism() + number;
  return percent ? Math.max(1, Math.round((availableParallelism() * number) / 100)) : number;
}
