import type { DeathCount } from '../store/contract.ts';

/*
 * Suspects are tasks that were in flight when the stage died, as in task-queue. One of them may have killed it; the
 * others only waited. They are passed to the stage again in smaller and smaller groups, with nothing else in flight,
 * and finally alone. Only a task that kills the stage alone, after `DEATHS` deaths in total, fails.
 */

/** Number of deaths after which a task that kills the stage alone fails. */
export const DEATHS = 3;
/** Factor by which the groups of suspects become smaller. */
const SHRINK = 4;

/** Deaths of a suspect. */
interface Suspect {
  deaths: number;
  /** Maximum size of the next group in which it is passed to the stage. */
  size: number;
  /** Number of results at the time of its first death. */
  readonly seen: number;
}

/** Consequences of a death of the stage for tasks. */
export interface Blame {
  /** Tasks with their new counts, to be stored. */
  readonly counts: readonly DeathCount[];
  /** Task that must fail, because it killed the stage alone. */
  readonly culprit: string | undefined;
  /** Clause about the tasks that the stage had, for a message. */
  readonly words: string;
}

/** Tasks that were in flight when the stage died, and that have no result yet. */
export class StageSuspects {
  readonly #suspects = new Map<string, Suspect>();
  #results = 0;

  get size(): number {
    return this.#suspects.size;
  }

  /** Adds the suspects of an earlier service. */
  load(counts: readonly DeathCount[]): void {
    for (const { uuid, deaths, together } of counts)
      this.#suspects.set(uuid, { deaths, size: shrunk(together), seen: 0 });
  }

  /** Forgets a task that has ended. */
  delete(uuid: string): void {
    this.#suspects.delete(uuid);
  }

  /** Notes a result of a task: the stage survived it. */
  survived(uuid: string): void {
    this.#results++;
    this.#suspects.delete(uuid);
  }

  /** Returns the next suspects for the stage. */
  nextGroup(): readonly string[] {
    const group: string[] = [];
    let limit = Number.POSITIVE_INFINITY;
    for (const [uuid, { size }] of this.#suspects) {
      limit = Math.min(limit, size);
      if (group.length >= limit) break;
      group.push(uuid);
    }
    return group;
  }

  /**
   * Counts a death of the stage against tasks. If it is unknown whether the stage was ready for them, the stage
   * itself may be broken: a further death then counts half unless a task has finished meanwhile.
   * @param together number of tasks that were in flight, including cancelled and expired ones
   */
  blame(uuids: readonly string[], together: number, wasReady: boolean): Blame {
    const counts = uuids.map((uuid) => {
      const suspect = this.#suspects.get(uuid) ?? { deaths: 0, size: 0, seen: this.#results };
      suspect.deaths += wasReady || suspect.deaths === 0 || this.#results > suspect.seen ? 1 : 0.5;
      suspect.size = shrunk(together);
      this.#suspects.set(uuid, suspect);
      return { uuid, deaths: suspect.deaths, together };
    });
    const [first] = counts;
    if (first === undefined) return { counts, culprit: undefined, words: '' };
    if (together > 1) return { counts, culprit: undefined, words: `, while it had ${together} tasks` };
    const words = `, while it had only task ${first.uuid} (death ${Math.floor(first.deaths)}; it fails from ${DEATHS} on)`;
    return { counts, culprit: first.deaths >= DEATHS ? first.uuid : undefined, words };
  }
}

function shrunk(together: number): number {
  return Math.max(1, Math.floor(together / SHRINK));
}
