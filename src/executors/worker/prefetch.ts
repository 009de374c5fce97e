/** Amount of work that may wait in the pipe of a worker, in milliseconds at its current pace. */
const AHEAD = 10;

/** Maximum number of tasks in one worker. */
const MOST = 256;

/** Maximum number of tasks of batches in one worker. More would outlive the young generation of the heap. */
const MOST_OF_BATCHES = 1024;

/**
 * Maximum number of characters of batches in one worker. More do not fit into its pipe, and Node copies the waiting
 * text, which makes tasks a fifth slower.
 */
const PIPE = 64 * 1024;

/** Weight of the latest pace. */
const LATEST = 0.3;

/**
 * Prefetch of a worker: the number of tasks that it should have at once. A slow worker gets a single task, so that
 * work is spread and no task waits behind a long one. A fast worker gets more, because otherwise it would mostly wait
 * for its next task.
 */
export class Prefetch {
  readonly #fixed: number | undefined;
  readonly #batch: number | undefined;
  #most: number;
  #size = 1;
  /** Milliseconds per task. */
  #pace: number | undefined;

  /**
   * @param fixed number given by the user
   * @param batch number of tasks of a batch, if it counts batches
   */
  constructor(fixed: number | undefined, batch?: number) {
    this.#fixed = fixed;
    this.#batch = batch;
    this.#most = MOST;
  }

  /** Adapts to the length of a task or batch that is sent. */
  sent(length: number): void {
    if (this.#batch === undefined) return;
    const fitting = Math.min(Math.ceil(MOST_OF_BATCHES / this.#batch), Math.floor(PIPE / length));
    this.#most = Math.max(2, Math.min(MOST, fitting));
  }

  get size(): number {
    return this.#fixed ?? this.#size;
  }

  /** Adapts to an interval in which the worker was never idle. */
  learn(answers: number, milliseconds: number): void {
    const latest = milliseconds / answers;
    this.#pace = this.#pace === undefined ? latest : this.#pace + LATEST * (latest - this.#pace);
    const fitting = Math.floor(AHEAD / Math.max(this.#pace, AHEAD / this.#most));
    this.#size = Math.max(1, Math.min(fitting, this.#size * 2));
  }
}
