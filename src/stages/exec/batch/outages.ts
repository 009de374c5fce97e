import type { Lane } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome } from '../../../executors/contract.ts';

interface Known {
  /** Number of calls that had an outcome for each of their tasks. */
  answered: number;
  /** Value of `answered` when a search found an outage; -1 if no search did. */
  downAt: number;
}

/** Lanes in which no call succeeds. */
export class Outages {
  readonly #lanes = new WeakMap<Lane, Known>();

  /** Counts a call that had an outcome for each of its tasks. */
  called(lane: Lane): void {
    this.#of(lane).answered++;
  }

  /** Returns the number of these calls. */
  answered(lane: Lane): number {
    return this.#lanes.get(lane)?.answered ?? 0;
  }

  /** Records an outage of a lane, until the next successful call. */
  found(lane: Lane): void {
    const known = this.#of(lane);
    known.downAt = known.answered;
  }

  /** Returns the outcome of a first call: in an outage, its tasks are retried as a whole before they are halved. */
  judged(lane: Lane, made: BatchOutcome): BatchOutcome {
    const known = this.#lanes.get(lane);
    if (known === undefined || known.downAt !== known.answered || !('whole' in made)) return made;
    const { whole, halves } = made;
    if (halves !== 'now' || whole.error === undefined) return made;
    return { whole: { ...whole, retry: whole.retry ?? {} }, halves: 'later' };
  }

  #of(lane: Lane): Known {
    let known = this.#lanes.get(lane);
    if (known === undefined) {
      known = { answered: 0, downAt: -1 };
      this.#lanes.set(lane, known);
    }
    return known;
  }
}
