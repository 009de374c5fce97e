/** Longest wait of a timer, in milliseconds; Node treats a longer one as 1. */
const LONGEST = 2 ** 31 - 1;

/** A timer set to the earliest of the requested times. It may fire early, never late. */
export class DeadlineTimer {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Requests a call. @param time the time to fire at, by `performance.now()` */
  set(time: number): void {
    if (time >= this.#at) return;
    this.clear();
    this.#at = time;
    const wait = Math.max(1, Math.ceil(time - performance.now()));
    this.#timer = setTimeout(() => this.#rings(), Math.min(LONGEST, wait));
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#at = Number.POSITIVE_INFINITY;
  }

  #rings(): void {
    this.#at = Number.POSITIVE_INFINITY;
    this.#ring();
  }
}
