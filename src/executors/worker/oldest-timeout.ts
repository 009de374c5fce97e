import { missedTime } from '../../core/schedule/missed-time.ts';

/** Timeout of the oldest task of a worker: one that waits behind another is not being worked on. */
export class OldestTimeout {
  readonly #timeout: number;
  readonly #isIdle: () => boolean;
  readonly #over: () => void;
  /** Time since which the oldest task is the oldest. */
  #since = 0;
  /** Time for which the timer is set. */
  #due = 0;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout in milliseconds
   * @param isIdle returns whether the worker has no task
   * @param over called when the timeout of the oldest task is over
   */
  constructor(timeout: number, isIdle: () => boolean, over: () => void) {
    this.#timeout = timeout;
    this.#isIdle = isIdle;
    this.#over = over;
  }

  /** Notes that an idle worker gets a task. */
  begin(now: number): void {
    this.#since = now;
    if (this.#timer === undefined) this.#checkAfter(now, this.#timeout);
  }

  /** Notes that another task became the oldest. */
  next(now: number): void {
    this.#since = now;
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  #checkAfter(now: number, milliseconds: number): void {
    this.#due = now + milliseconds;
    this.#timer = setTimeout(() => this.#check(), milliseconds);
  }

  #check(): void {
    this.#timer = undefined;
    if (this.#isIdle()) return;
    const now = performance.now(); // once: the process may be suspended between any two lines
    const missed = missedTime(this.#due, this.#timeout, now);
    if (missed > 0) this.#since = Math.max(this.#since, now + missed - this.#timeout);
    const rest = this.#since + this.#timeout - now;
    if (rest > 0) this.#checkAfter(now, Math.ceil(rest));
    else this.#over();
  }
}
