/** A range of values, from `from` to less than `to`, and the number of values in it. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Largest distinct value; larger ones are counted as this. */
const MOST = 2 ** 31 - 1;

/**
 * A histogram of whole numbers in bins whose width grows with the values, like HdrHistogram: `2 ** bits` bins for each
 * doubling. Memory is bounded. The relative error of quantiles is at most one part in `2 ** (bits + 1)`; values below
 * `2 ** (bits + 1)` are exact. (The bins of Node's own histogram cannot be read, and recording a value there is slower.)
 */
export class Histogram {
  readonly #bits: number;
  #counts: Uint32Array;
  #count = 0;
  #sum = 0;
  #max = 0;

  constructor(bits: number) {
    this.#bits = bits;
    this.#counts = new Uint32Array(2 << bits);
  }

  get count(): number {
    return this.#count;
  }

  /** Exact mean of the values; 0 if there are none. */
  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count;
  }

  /** Exact maximum of the values. */
  get max(): number {
    return this.#max;
  }

  /** Records a value `times` times; a negative value counts as 0. */
  record(value: number, times = 1): void {
    const whole = value < 0 ? 0 : value > MOST ? MOST : Math.trunc(value);
    const bin = binOf(whole, this.#bits);
    if (bin >= this.#counts.length) this.#grow(bin);
    this.#counts[bin] = (this.#counts[bin] as number) + times;
    this.#count += times;
    this.#sum += whole * times;
    if (whole > this.#max) this.#max = whole;
  }

  #grow(bin: number): void {
    const larger = new Uint32Array(Math.max(bin + 1, this.#counts.length * 2));
    larger.set(this.#counts);
    this.#counts = larger;
  }

  /** Returns a quantile. @param part from 0 to 1, for example 0.95 */
  quantile(part: number): number {
    let left = Math.max(1, Math.ceil(part * this.#count));
    for (let bin = 0; bin < this.#counts.length; bin++) {
      left -= this.#counts[bin] as number;
      if (left <= 0) {
        const from = startOf(bin, this.#bits);
        const middle = from + Math.floor((startOf(bin + 1, this.#bits) - 1 - from) / 2);
        return Math.min(middle, this.#max);
      }
    }
    return this.#max;
  }

  /** Returns the bins that are not empty. @param bits fewer than the histogram's own merge bins */
  bins(bits: number = this.#bits): Bin[] {
    const counts = new Map<number, number>();
    this.#counts.forEach((count, bin) => {
      if (count === 0) return;
      const coarse = binOf(startOf(bin, this.#bits), bits);
      counts.set(coarse, (counts.get(coarse) ?? 0) + count);
    });
    return [...counts].map(([bin, count]) => ({
      from: startOf(bin, bits),
      to: startOf(bin + 1, bits),
      count,
    }));
  }
}

function binOf(value: number, bits: number): number {
  const shift = 31 - Math.clz32(value) - bits;
  return shift <= 0 ? value : (shift << bits) + (value >>> shift);
}

/** Returns the smallest value of a bin. */
function startOf(bin: number, bits: number): number {
  const shift = Math.max(0, (bin >> bits) - 1);
  return (bin - (shift << bits)) * 2 ** shift;
}
