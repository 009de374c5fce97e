import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { BatchOutcome } from '../../../executors/contract.ts';

interface Known {
  /** Number of calls that have begun. */
  begun: number;
  /** Number of the newest call that had an outcome for each of its tasks. */
  answered: number;
  /** Number of calls that had begun when an outage began that a search found; -1 if no search did. */
  downSince: number;
}

/** Lanes in which no call succeeds. A call counts from its begin: one that began before an outage says nothing about it. */
export class Outages {
  readonly #lanes = new WeakMap<Lane, Known>();
  /** Tasks that are retried because of an outage, though there may also be many bad ones side by side. */
  readonly #doubtful = new WeakSet<Job>();

  /** Returns the number of a call that begins. */
  begun(lane: Lane): number {
    return ++this.#of(lane).begun;
  }

  /** Records that a call had an outcome for each of its tasks. */
  answered(lane: Lane, call: number): void {
    const known = this.#of(lane);
    if (call > known.answered) known.answered = call;
  }

  /** Returns the number of the newest call that has begun. */
  newest(lane: Lane): number {
    return this.#of(lane).begun;
  }

  /** Returns whether a call has succeeded that began after the given one. */
  isAnsweredSince(lane: Lane, call: number): boolean {
    return this.#of(lane).answered > call;
  }

  /** Records an outage of a lane since a call, until a call that began later succeeds. */
  found(lane: Lane, since: number): void {
    this.#of(lane).downSince = since;
  }

  /** Notes that a task is retried because of an outage that may be none. */
  doubt(job: Job): void {
    this.#doubtful.add(job);
  }

  isDoubtful(job: Job): boolean {
    return this.#doubtful.has(job);
  }

  /** Returns the outcome of a first call: in an outage, its tasks are retried as a whole before they are halved. */
  judged(lane: Lane, made: BatchOutcome): BatchOutcome {
    const known = this.#lanes.get(lane);
    if (known === undefined || known.downSince < known.answered || !('whole' in made)) return made;
    const { whole, halves } = made;
    if (halves !== 'now' || whole.error === undefined) return made;
    return { whole: { ...whole, retry: whole.retry ?? {} }, halves: 'later' };
  }

  #of(lane: Lane): Known {
    let known = this.#lanes.get(lane);
    if (known === undefined) {
      known = { begun: 0, answered: 0, downSince: -1 };
      this.#lanes.set(lane, known);
    }
    return known;
  }
}
