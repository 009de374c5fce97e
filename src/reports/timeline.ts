import type { Throughput } from './report.ts';

/** Maximum number of ranges, a power of two: pairs are merged if there would be more. */
const RANGES = 512;

/** Initial length of a range, in milliseconds. */
const FIRST_WIDTH = 125;

/** Counts events over time, in ranges that become longer during the run. */
export class Timeline {
  readonly #series = {
    succeeded: new Uint32Array(RANGES),
    failed: new Uint32Array(RANGES),
    retries: new Uint32Array(RANGES),
  };
  readonly #start: number;
  #width = FIRST_WIDTH;
  #last = 0;

  /** @param start time of the start, by `steadyNow()` */
  constructor(start: number) {
    this.#start = start;
  }

  /** Adds to a count. @param now `steadyNow()` */
  count(series: 'succeeded' | 'failed' | 'retries', now: number, times = 1): void {
    const since = Math.max(0, now - this.#start);
    while (since >= this.#width * RANGES) this.#merge();
    const range = Math.floor(since / this.#width);
    const counts = this.#series[series];
    counts[range] = (counts[range] as number) + times;
    if (range > this.#last) this.#last = range;
  }

  #merge(): void {
    for (const counts of Object.values(this.#series)) {
      for (let i = 0; i < RANGES / 2; i++)
        counts[i] = (counts[2 * i] as number) + (counts[2 * i + 1] as number);
      counts.fill(0, RANGES / 2);
    }
    this.#width *= 2;
    this.#last >>= 1;
  }

  get throughput(): Throughput {
    const upToLast = (counts: Uint32Array): number[] => [...counts.subarray(0, this.#last + 1)];
    const { succeeded, failed, retries } = this.#series;
    return {
      width: this.#width,
      succeeded: upToLast(succeeded),
      failed: upToLast(failed),
      retries: upToLast(retries),
    };
  }
}
