/** The rate is that of so long a time, in milliseconds. */
const WINDOW = 10_000;
/** But of so many tasks at least, where they are slow: one in ten seconds tells nothing. */
const FEW = 5;

interface Sample {
  readonly time: number;
  readonly count: number;
}

/** How fast a count grows. */
export interface Speed {
  /** In a second; 0 in a stall. */
  readonly rate: number;
  /** How long nothing has come, in milliseconds, where that is a stall. */
  readonly stall: number | undefined;
}

/**
 * Tells how fast a count grows of late, by looks at it: only changes are kept, so few are. A stall is a silence of ten
 * seconds, and of three times the usual wait.
 */
export class Speedometer {
  readonly #samples: Sample[] = [];

  /** @param now milliseconds of any clock; where the count begins */
  constructor(now: number, count = 0) {
    this.#samples.push({ time: now, count });
  }

  /** Looks at the count. */
  look(now: number, count: number): Speed {
    const samples = this.#samples;
    let last = samples.at(-1) as Sample;
    if (count !== last.count) {
      last = { time: now, count };
      samples.push(last);
    }
    // The second may begin the window: the first is then of no more use.
    while (samples[1] !== undefined && samples[1].time <= now - WINDOW && samples[1].count <= count - FEW)
      samples.shift();
    const [first = last] = samples;
    const before = samples.findLast(({ time }) => time <= now - WINDOW);
    if (before !== undefined && count - before.count >= FEW) return moving(count - before.count, WINDOW);
    const silence = now - last.time;
    const usual = (last.time - first.time) / (last.count - first.count); // NaN where nothing came yet
    if (silence >= WINDOW && !(silence < 3 * usual)) return { rate: 0, stall: silence };
    return moving(count - first.count, now - first.time);
  }
}

function moving(count: number, span: number): Speed {
  return { rate: span > 0 ? (count * 1000) / span : 0, stall: undefined };
}
