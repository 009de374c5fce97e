import type { AtomTime, CallTimes } from './call-times.ts';
import { Histogram } from './histogram.ts';

/** Maximum number of names. Further ones are counted together, as `OTHER`. */
const NAMES = 1000;

/** Maximum length of a name, in characters. */
const LONGEST = 300;

/** Recorded units per millisecond: most atoms take less than one. */
const UNITS = 10;

class Calls {
  readonly #times = new Histogram(4);
  #failed = 0;
  #total = 0;
  #max = 0;

  record(ms: number, isFailed: boolean): void {
    this.#times.record(Math.round(ms * UNITS));
    this.#total += ms;
    if (ms > this.#max) this.#max = ms;
    if (isFailed) this.#failed++;
  }

  get times(): CallTimes {
    const median = Math.min(this.#times.quantile(0.5) / UNITS, this.#max);
    const { count } = this.#times;
    return {
      count,
      failed: this.#failed,
      total: rounded(this.#total),
      median: rounded(median),
      max: rounded(this.#max),
    };
  }
}

interface TimedAtom {
  readonly atom: string;
  readonly executes: Calls;
  reverts: Calls | undefined;
}

/** Times of atoms by name, in bounded memory: at most about 5 MB. */
export class AtomTimes {
  readonly #atoms = new Map<string, TimedAtom>();

  /** Records a call of an atom. @param ms duration in milliseconds */
  record(atom: string, ms: number, { isRevert, isFailed }: { isRevert: boolean; isFailed: boolean }): void {
    const timed = this.#atoms.get(atom) ?? this.#add(atom);
    if (!isRevert) timed.executes.record(ms, isFailed);
    else {
      timed.reverts ??= new Calls();
      timed.reverts.record(ms, isFailed);
    }
  }

  #add(given: string): TimedAtom {
    const short = given.length > LONGEST ? `${given.slice(0, LONGEST)}…` : given;
    const atom = this.#atoms.has(short) || this.#atoms.size < NAMES ? short : 'OTHER';
    let timed = this.#atoms.get(atom);
    if (timed === undefined) {
      timed = { atom: Buffer.from(atom).toString(), executes: new Calls(), reverts: undefined };
      this.#atoms.set(timed.atom, timed);
    }
    return timed;
  }

  /** Returns the times, the atom with the longest total first. */
  get times(): AtomTime[] {
    const all = [...this.#atoms.values()].map(({ atom, executes, reverts }) => ({
      ...{ atom, ...executes.times },
      ...(reverts === undefined ? {} : { reverts: reverts.times }),
    }));
    return all.sort((a, b) => b.total - a.total);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
