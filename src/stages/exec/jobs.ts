import { availableParallelism } from 'node:os';
import { InvalidValue } from '../../core/options/option.ts';

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
