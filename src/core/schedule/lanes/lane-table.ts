import type { Rate } from '../rate.ts';
import { Lane } from './lane.ts';

/** Number of lanes beyond which idle ones are forgotten. */
const LANES = 10_000;

/**
 * Lanes by key. Those of tasks count for the fair share. Lanes that only redirects lead to do not count, nor do idle
 * lanes that are kept because their server asked for a pause.
 */
export class LaneTable implements Iterable<Lane> {
  readonly #rate: Rate | undefined;
  readonly #ofTasks = new Map<string, Lane>();
  readonly #others = new Map<string, Lane>();

  /** @param rate rate of each lane */
  constructor(rate: Rate | undefined) {
    this.#rate = rate;
  }

  /** Number of lanes that count for the fair share. */
  get size(): number {
    return this.#ofTasks.size;
  }

  /** Returns the lane of a task, a new one if there is none. */
  of(key: string): Lane {
    let lane = this.#ofTasks.get(key);
    if (lane === undefined) {
      lane = this.#others.get(key) ?? new Lane(key, this.#rate);
      this.#others.delete(key);
      this.#ofTasks.set(key, lane);
      if (this.#ofTasks.size > LANES) forgetIdle(this.#ofTasks);
    }
    return lane;
  }

  /** Returns the lane that a running task moves to, a new one if there is none. */
  passedBy(key: string): Lane {
    let lane = this.#ofTasks.get(key) ?? this.#others.get(key);
    if (lane === undefined) {
      lane = new Lane(key, this.#rate);
      this.#others.set(key, lane);
      if (this.#others.size > LANES) forgetIdle(this.#others);
    }
    return lane;
  }

  /** Stops counting an idle lane. Forgets the lane unless it is paused, because a redirect may lead to it. */
  retire(lane: Lane): void {
    if (!this.#ofTasks.delete(lane.key)) return;
    if (lane.wait(performance.now()) > 0) this.#others.set(lane.key, lane);
  }

  *[Symbol.iterator](): Iterator<Lane> {
    yield* this.#ofTasks.values();
    yield* this.#others.values();
  }
}

function forgetIdle(lanes: Map<string, Lane>): void {
  const now = performance.now();
  for (const lane of lanes.values()) if (lane.isIdle && lane.wait(now) <= 0) lanes.delete(lane.key);
}
