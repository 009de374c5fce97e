import type { Task } from '../core/record/task.ts';

/*
 * Suspects are tasks that were in flight when a process of a pipe died. One of them may have killed it, for example
 * by running out of memory; the others only waited. They are delivered again in smaller and smaller groups, with
 * nothing else in flight, and finally alone. Only a task that kills its worker alone, as often as `--attempts`
 * allows, is dead.
 */

/** Factor by which the groups of suspects become smaller. */
const SHRINK = 4;
/** Size of the first group of a task whose lease expired: the number of tasks in flight with it is unknown. */
const FIRST = 16;

/** Counts about the deliveries of a task. */
export interface DeliveryCounts {
  /** Verdicts of failure. */
  readonly failures: number;
  /**
   * Expired leases, and deaths that its consumer noticed. A death counts half if no task of the queue has finished
   * since the first death: then the pipe itself may be broken, for example by a module that cannot be loaded.
   */
  readonly deaths: number;
  /** Number of tasks that were in flight together at its last delivery; 0 if that is unknown. */
  readonly group: number;
  /** Deliveries alone without a verdict. */
  readonly alone: number;
  /** Maximum number of deliveries. */
  readonly attempts: number;
}

/**
 * Decision on a job: deliver it in a group of at most `size`, or mark it as dead after this many deliveries alone.
 */
export type Judgement = { readonly size: number } | { readonly alone: number };

/** Judges a task by its deliveries. The size is infinite for a task that is not a suspect. */
export function judgeCounts({ failures, deaths, group, alone, attempts }: DeliveryCounts): Judgement {
  if (deaths === 0) return { size: Number.POSITIVE_INFINITY };
  const spent = failures + deaths;
  if (spent >= attempts && alone > 0) return { alone };
  // The last attempt is made alone: otherwise another task of the group could be marked as dead.
  if (spent + 1 >= attempts) return { size: 1 };
  return { size: group > 0 ? Math.max(1, Math.floor(group / SHRINK)) : FIRST };
}

/** Suspects that a consumer has taken and not delivered yet. Their leases are renewed like those of other tasks. */
export class WaitingSuspects {
  readonly #waiting = new Map<string, { readonly task: Task; readonly size: number }>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Number of suspects that could be delivered together with those that wait. */
  get missing(): number {
    const [first] = this.#waiting.values();
    return first === undefined ? 0 : Math.max(0, first.size - this.#waiting.size);
  }

  get uuids(): string[] {
    return [...this.#waiting.keys()];
  }

  has(uuid: string): boolean {
    return this.#waiting.has(uuid);
  }

  delete(uuid: string): void {
    this.#waiting.delete(uuid);
  }

  clear(): void {
    this.#waiting.clear();
  }

  /** @param size maximum size of the group in which the task is delivered */
  add(task: Task, size: number): void {
    this.#waiting.set(task.uuid, { task, size });
  }

  /** Returns the next group. The caller records its size, and deletes its tasks, before it delivers them. */
  nextGroup(): readonly Task[] {
    const group: Task[] = [];
    let limit = Number.POSITIVE_INFINITY;
    for (const { task, size } of this.#waiting.values()) {
      limit = Math.min(limit, size);
      if (group.length >= limit) break;
      group.push(task);
    }
    return group;
  }
}
