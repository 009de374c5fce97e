import { runOf } from '../../core/record/task.ts';
import type { Finished } from '../store/contract.ts';

/** Length of an interval in seconds, and the number of intervals: one hour. */
const STEP = 30;
const COUNT = 120;
/** Maximum number of durations to keep for an interval, for its median. */
const KEPT = 256;

interface Interval {
  readonly number: number;
  finished: number;
  failed: number;
  readonly durations: number[];
}

export interface TaskEnd {
  /** Time in milliseconds since 1970. */
  readonly at: number;
  readonly isFailure: boolean;
  /** Duration of the work, in milliseconds. */
  readonly ms: number | undefined;
}

/** Returns the end of a task that has ended now. */
export function endOf({ task, state }: Finished): TaskEnd {
  const ms = runOf(task.fields)?.ms;
  return { at: Date.now(), isFailure: state !== 'SUCCESS', ms: typeof ms === 'number' ? ms : undefined };
}

/** Numbers of tasks that ended in the last hour, and how long they took. */
export class EndHistory {
  readonly #intervals = new Map<number, Interval>();

  add({ at, isFailure, ms }: TaskEnd): void {
    const number = Math.floor(at / 1000 / STEP);
    const interval = this.#intervals.get(number) ?? { number, finished: 0, failed: 0, durations: [] };
    this.#intervals.set(number, interval);
    interval.finished++;
    if (isFailure) interval.failed++;
    if (ms === undefined) return;
    // Reservoir sampling: a further duration replaces a random one, with a probability that decreases with their number.
    const place =
      interval.durations.length < KEPT
        ? interval.durations.length
        : Math.floor(Math.random() * interval.finished);
    if (place < KEPT) interval.durations[place] = ms;
    if (this.#intervals.size > COUNT * 2) this.#forget(number - COUNT);
  }

  /** Returns the last hour as JSON text. @param now in milliseconds since 1970 */
  text(now: number): string {
    const first = Math.floor(now / 1000 / STEP) - COUNT + 1;
    const intervals = Array.from({ length: COUNT }, (_, i) => this.#intervals.get(first + i));
    return JSON.stringify({
      step: STEP,
      from: new Date(first * STEP * 1000).toISOString(),
      finished: intervals.map((interval) => interval?.finished ?? 0),
      failed: intervals.map((interval) => interval?.failed ?? 0),
      median_ms: intervals.map((interval) => medianOf(interval?.durations ?? [])),
    });
  }

  #forget(before: number): void {
    for (const number of this.#intervals.keys()) if (number < before) this.#intervals.delete(number);
  }
}

function medianOf(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
