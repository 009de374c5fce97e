import { InvalidValue } from '../options/option.ts';
import { milliseconds } from '../options/units.ts';

/** Bounds of the waits between attempts, in milliseconds. */
export interface Backoff {
  readonly min: number;
  readonly max: number;
}

/**
 * Parses `500ms..30s`.
 * @throws {InvalidValue}
 */
export function toBackoff(typed: string): Backoff {
  const [min, max, ...more] = typed.split('..').map(milliseconds);
  if (min === undefined || max === undefined || more.length > 0 || max < min) {
    throw new InvalidValue('must be MIN..MAX, two durations such as 500ms..30s');
  }
  return { min, max };
}

/**
 * Returns the wait after a failed attempt, in milliseconds. It is exponential backoff with full jitter, so
 * that tasks that failed together are not retried together (Marc Brooker, "Exponential Backoff And Jitter",
 * AWS Architecture Blog, 2015).
 * @param attempt number of the failed attempt, from 1
 */
export function backoffDelay(attempt: number, { min, max }: Backoff): number {
  return Math.random() * Math.min(max, min * 2 ** Math.min(attempt - 1, 52));
}
