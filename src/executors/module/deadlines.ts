import { DeadlineTimer } from '../../core/schedule/deadline-timer.ts';
import { missedTime } from '../../core/schedule/missed-time.ts';
import { type Pooled, UnorderedPool } from '../../core/schedule/unordered-pool.ts';

/** Attempt that is running, with the function to call at its deadline. */
interface Running extends Pooled {
  due: number;
  /** True if it was extended once, because the process was suspended. */
  isLate: boolean;
  readonly onLate: () => void;
}

/**
 * Deadlines of running attempts, all the same time after their start. They share one timer: a timer for each would
 * cost more than the work of a short task.
 */
export class Deadlines {
  readonly #timeout: number;
  readonly #running = new UnorderedPool<Running>();
  readonly #alarm = new DeadlineTimer(() => this.#ring());

  /** @param timeout in milliseconds */
  constructor(timeout: number) {
    this.#timeout = timeout;
  }

  /** Starts a deadline. Returns the handle for `end`, after which `onLate` is not called. */
  begin(onLate: () => void): Pooled {
    const one = { due: performance.now() + this.#timeout, onLate, isLate: false, place: -1 };
    this.#running.add(one);
    this.#alarm.set(one.due);
    return one;
  }

  end(one: Pooled): void {
    this.#running.delete(one as Running);
  }

  /** Cancels all deadlines. */
  close(): void {
    this.#alarm.clear();
    this.#running.clear();
  }

  #ring(): void {
    const now = performance.now();
    const late = [...this.#running].filter(({ due }) => due <= now);
    for (const one of late) {
      const missed = one.isLate ? 0 : missedTime(one.due, this.#timeout, now);
      if (missed > 0) {
        one.due = now + missed;
        one.isLate = true;
      } else {
        this.end(one);
        one.onLate();
      }
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#running) next = Math.min(next, due);
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next);
  }
}
