/** Maximum time between two checks that counts, in milliseconds. */
const GAP = 500;

/**
 * Time without a sign of life of another process, by a monotonic clock. A pause of this process counts for at most
 * `GAP`: while it is suspended or cut off from Redis, it cannot receive signs of life.
 */
export class Silence {
  #length = 0;
  #lookedAt = performance.now();

  /** Notes a sign of life. */
  end(): void {
    this.#length = 0;
    this.#lookedAt = performance.now();
  }

  /** Returns its length until now, in milliseconds. Call it more often than every `GAP`. */
  look(): number {
    const now = performance.now();
    this.#length += Math.min(GAP, now - this.#lookedAt);
    this.#lookedAt = now;
    return this.#length;
  }
}
