/** Work that may wait in the pipe of a worker, in milliseconds of its own pace. */
const AHEAD = 10;

/** Most tasks in one worker. */
const MOST = 256;

/** Weight of the latest pace. */
const LATEST = 0.3;

/**
 * Prefetch of a worker: the number of tasks that it should have at once. A slow worker gets one, so that work
 * is spread and nothing waits behind a long task. A fast one gets more, because otherwise it would mostly wait
 * for its next task.
 */
export class Prefetch {
  readonly #fixed: number | undefined;
  #size = 1;
  /** Milliseconds per task. */
  #pace: number | undefined;

  /** @param fixed number given by the user */
  constructor(fixed: number | undefined) {
    this.#fixed = fixed;
  }

  get size(): number {
    return this.#fixed ?? this.#size;
  }

  /** Adapts to an interval in which the worker was never idle. */
  learn(answers: number, milliseconds: number): void {
    const latest = milliseconds / answers;
    this.#pace = this.#pace === undefined ? latest : this.#pace + LATEST * (latest - this.#pace);
    const fitting = Math.floor(AHEAD / Math.max(this.#pace, AHEAD / MOST));
    this.#size = Math.max(1, Math.min(fitting, this.#size * 2));
  }
}
