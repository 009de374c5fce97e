/** Time span over which the rate is measured, in milliseconds. */
const WINDOW = 10_000;
/** Fewest tasks over which the rate is measured: one slow task in ten seconds says nothing. */
const FEW = 5;

interface Sample {
  readonly time: number;
  readonly count: number;
}

/** Rate at which a count grows. */
export interface Speed {
  /** Per second; 0 in a stall. */
  readonly rate: number;
  /** Time since the last change, in milliseconds; only in a stall. */
  readonly stall: number | undefined;
}

/**
 * Meter of the recent rate of a count, from samples. It stores changes only, so memory stays small. A stall is a
 * silence of ten seconds that is also three times the usual interval.
 */
export class Speedometer {
  readonly #samples: Sample[] = [];

  /** @param now milliseconds of any clock */
  constructor(now: number, count = 0) {
    this.#samples.push({ time: now, count });
  }

  /** Takes a sample. */
  look(now: number, count: number): Speed {
    const samples = this.#samples;
    let last = samples.at(-1) as Sample;
    if (count !== last.count) {
      last = { time: now, count };
      samples.push(last);
    }
    // The first sample is obsolete once the second is outside the window.
    while (samples[1] !== undefined && samples[1].time <= now - WINDOW && samples[1].count <= count - FEW)
      samples.shift();
    const [first = last] = samples;
    const before = samples.findLast(({ time }) => time <= now - WINDOW);
    if (before !== undefined && count - before.count >= FEW) return moving(count - before.count, WINDOW);
    const silence = now - last.time;
    const usual = (last.time - first.time) / (last.count - first.count); // NaN before the first change
    if (silence >= WINDOW && !(silence < 3 * usual)) return { rate: 0, stall: silence };
    return moving(count - first.count, now - first.time);
  }
}

function moving(count: number, span: number): Speed {
  return { rate: span > 0 ? (count * 1000) / span : 0, stall: undefined };
}
