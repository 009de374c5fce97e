/** How much work may wait in a worker's pipe, in milliseconds of its own pace. */
const AHEAD = 10;

/** Tasks in one worker at most. */
const MOST = 256;

/** How much the latest pace counts. */
const LATEST = 0.3;

/**
 * How many tasks a worker should have at once. One that takes long gets one at a time, so that the work is spread and
 * nothing waits behind it; one that is quick gets more, as otherwise most of the time would go into waiting for the
 * next task to arrive.
 */
export class Window {
  readonly #fixed: number | undefined;
  #size = 1;
  /** Milliseconds a task. */
  #pace: number | undefined;

  /** @param fixed a number given by the user */
  constructor(fixed: number | undefined) {
    this.#fixed = fixed;
  }

  get size(): number {
    return this.#fixed ?? this.#size;
  }

  /** So many answers came in so many milliseconds, in which the worker was never without work. */
  learn(answers: number, milliseconds: number): void {
    const latest = milliseconds / answers;
    this.#pace = this.#pace === undefined ? latest : this.#pace + LATEST * (latest - this.#pace);
    const fitting = Math.floor(AHEAD / Math.max(this.#pace, AHEAD / MOST));
    this.#size = Math.max(1, Math.min(fitting, this.#size * 2));
  }
}
