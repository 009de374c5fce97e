/** Concurrency at the start, before a server has answered. */
const START = 2;

/** Minimum number of attempts in one step; the limit, if that is larger. */
const LEAST_SAMPLES = 8;

/**
 * Estimated numbers of requests that wait in the server: at the first the limit stops growing, from the second on it
 * shrinks.
 */
const FEW_WAITING = 3;
const MANY_WAITING = 6;

/** Factor of the limit after failures. */
const SLOWER = 0.7;

/** Steps after which the latency without load is measured again, since a server may have become slower or faster. */
const STEPS = 50;

/**
 * Concurrency that a server can handle, learned from the latency of its answers. As in TCP Vegas, the limit grows
 * while answers take as long as without load, and shrinks when they take longer, because requests then wait in the
 * server. It shrinks by 30 % after failures that may be temporary.
 */
export class AdaptiveLimit {
  #limit = START;
  readonly #most: number;
  #samples = 0;
  #sum = 0;
  #failures = 0;
  /** True if the number of running attempts reached the limit. */
  #isUsed = false;
  /** Mean latency of the quickest step, in milliseconds. */
  #unloaded = Number.POSITIVE_INFINITY;
  /** True until requests have waited for the first time: the limit doubles. */
  #isStarting = true;
  #steps = 0;
  /** Limit to return to after the latency without load was measured. */
  #resumed: number | undefined;

  /** @param most largest limit */
  constructor(most: number) {
    this.#most = most;
  }

  /** Number of attempts that may run at once. */
  get limit(): number {
    return Math.max(1, Math.min(this.#most, Math.floor(this.#limit)));
  }

  /**
   * Counts an attempt that has ended.
   * @param latency its duration, in milliseconds
   * @param running number of running attempts, with this one
   * @param isFailure whether it failed in a way that may be temporary
   */
  ended(latency: number, running: number, isFailure: boolean): void {
    this.#samples++;
    if (isFailure) this.#failures++;
    else this.#sum += latency;
    this.#isUsed ||= running >= this.limit;
    if (this.#samples < Math.max(LEAST_SAMPLES, this.limit)) return;
    this.#step();
    this.#samples = 0;
    this.#sum = 0;
    this.#failures = 0;
    this.#isUsed = false;
  }

  #step(): void {
    if (this.#failures > 0) {
      this.#isStarting = false;
      this.#limit = Math.max(1, this.limit * SLOWER);
      this.#resumed = undefined;
      return;
    }
    const mean = this.#sum / this.#samples;
    if (this.#resumed !== undefined) {
      this.#unloaded = mean;
      this.#limit = this.#resumed;
      this.#resumed = undefined;
      return;
    }
    this.#unloaded = Math.min(this.#unloaded, mean);
    const waiting = this.limit * (1 - this.#unloaded / mean);
    if (waiting >= FEW_WAITING) this.#isStarting = false;
    if (waiting < FEW_WAITING && this.#isUsed)
      this.#limit = Math.min(this.#most, this.#isStarting ? this.#limit * 2 : this.#limit + 1);
    else if (waiting > MANY_WAITING) this.#limit = Math.max(1, this.#limit - 1);
    if (++this.#steps % STEPS > 0) return;
    this.#resumed = this.#limit;
    this.#limit = Math.max(1, this.#limit / 2);
  }
}
