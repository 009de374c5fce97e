import type { Submission } from '../store/queries.ts';
import type { Store } from '../store/task-store.ts';
import type { InFlight } from './in-flight.ts';
import type { StageSuspects } from './stage-suspects.ts';

/** Maximum number of tasks that are read at once. */
const BATCH = 500;

/** Waiting tasks of the store, in the order in which the stage gets them. */
export class WaitingTasks {
  readonly #store: Store;
  readonly #suspects: StageSuspects;
  /** Sequence number of the last task that the stage got. */
  #cursor = 0;
  #rewinds = 0;

  constructor(store: Store, suspects: StageSuspects) {
    this.#store = store;
    this.#suspects = suspects;
  }

  /** Lets the queue be read again from its start, also if a read is under way. */
  rewind(): void {
    this.#cursor = 0;
    this.#rewinds++;
  }

  /** Returns the next tasks; none if there is no room for them. @param window maximum number of tasks in flight */
  async next(inFlight: InFlight, window: number): Promise<readonly Submission[]> {
    const rewinds = this.#rewinds;
    const tasks = await this.#read(inFlight, window);
    const last = tasks.at(-1);
    // What was read before a rewind says nothing about the place.
    if (last !== undefined && rewinds === this.#rewinds) this.#cursor = last.seq;
    return tasks;
  }

  /** Reads tasks. Suspects come first, with nothing else in flight. */
  async #read(inFlight: InFlight, window: number): Promise<readonly Submission[]> {
    const { queries } = this.#store;
    while (this.#suspects.size > 0) {
      if (inFlight.size > 0 || inFlight.isEnding) return [];
      const group: Submission[] = [];
      for (const uuid of this.#suspects.nextGroup()) {
        const task = await queries.get(uuid);
        if (task?.state === 'PENDING') group.push(task);
        else this.#suspects.delete(uuid);
      }
      if (group.length > 0) return group;
    }
    const room = window - inFlight.size;
    return room <= 0 ? [] : queries.waiting(this.#cursor, Math.min(room, BATCH));
  }
}
