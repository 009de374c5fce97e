import type { Death } from './assignment.ts';

/** Number of tasks in a row that may end their worker without an answer, before the stage ends. */
const HOPELESS = 10;

/** Bounds of the wait before a worker is restarted after one that never answered, in milliseconds. */
const [FIRST_WAIT, LONGEST_WAIT] = [50, 1000];

/** Deaths of workers that never answered, since the last answer of any worker: reasons to believe that no worker works. */
export class FruitlessDeaths {
  #deaths = 0;
  /** Tasks that ended a worker. A bad task ends one at each retry, so it counts once. */
  readonly #suspects = new Set<string>();
  /** Number of workers that no task ended: they did not start, or had no task. */
  #unprovoked = 0;

  /** Number of workers. */
  get deaths(): number {
    return this.#deaths;
  }

  get isHopeless(): boolean {
    return this.#reasons >= HOPELESS;
  }

  /** Counts a death. Returns the wait before the next start in milliseconds, which grows with the reasons. */
  add({ culprit, cause }: Death): number {
    const known = this.#reasons;
    this.#deaths++;
    if (culprit === undefined || cause === 'start') this.#unprovoked++;
    else this.#suspects.add((culprit.batch?.[0] ?? culprit.task).uuid);
    // The retries of a task have their own backoff.
    return this.#reasons === known ? FIRST_WAIT : Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** known);
  }

  /** Forgets all deaths: a worker has answered. */
  clear(): void {
    if (this.#deaths === 0) return;
    this.#deaths = 0;
    this.#unprovoked = 0;
    this.#suspects.clear();
  }

  get #reasons(): number {
    return this.#suspects.size + this.#unprovoked;
  }
}
