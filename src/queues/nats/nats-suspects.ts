import type { Task } from '../../core/record/task.ts';
import type { StoredClaim, TaskHistory } from './nats-claims.ts';

/*
 * Suspects are tasks that were in flight when a process of a pipe died. One of them may have killed it; the others only
 * waited. They are delivered again in smaller and smaller groups, with nothing else in flight, and in the end alone: only a
 * task whose worker dies while it has this task alone is dead.
 */

/** Factor by which the groups of suspects become smaller. */
const SHRINK = 4;
/** Size of the first group if it is unknown how many tasks were in flight. */
const FIRST = 16;

/** Decision on a task: deliver it in a group of at most `size`, or call it dead after this many deliveries alone. */
export type TrialDecision = { readonly size: number } | { readonly alone: number };

/** Judges a task by its deliveries. The size is infinite for a task that is not a suspect. */
export function judge({ tries, deaths, group, alone }: TaskHistory, attempts: number): TrialDecision {
  if (deaths === 0) return { size: Number.POSITIVE_INFINITY };
  const spent = tries + deaths;
  if (spent >= attempts && alone > 0) return { alone };
  // The last attempt is made alone: else a neighbour could be called dead.
  if (spent + 1 >= attempts) return { size: 1 };
  return { size: group > 0 ? Math.max(1, Math.floor(group / SHRINK)) : FIRST };
}

/** Suspect that waits for its delivery. */
export interface Suspect {
  readonly task: Task;
  readonly claim: StoredClaim;
  readonly size: number;
}

/** Suspects that a consumer has taken and not delivered yet. */
export class SuspectGroups {
  readonly #waiting = new Map<string, Suspect>();

  get size(): number {
    return this.#waiting.size;
  }

  has(uuid: string): boolean {
    return this.#waiting.has(uuid);
  }

  add(suspect: Suspect): void {
    this.#waiting.set(suspect.task.uuid, suspect);
  }

  delete(uuid: string): void {
    this.#waiting.delete(uuid);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** Takes the next group out: the first suspects, as many as the strictest of them allows. */
  nextGroup(): readonly Suspect[] {
    const group: Suspect[] = [];
    let limit = Number.POSITIVE_INFINITY;
    for (const suspect of this.#waiting.values()) {
      limit = Math.min(limit, suspect.size);
      if (group.length >= limit) break;
      group.push(suspect);
    }
    for (const { task } of group) this.#waiting.delete(task.uuid);
    return group;
  }
}
