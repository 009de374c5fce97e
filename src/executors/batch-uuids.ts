import type { Task } from '../core/record/task.ts';

/** Uuids of the tasks of a batch, by which its answer is paired with them. */
export class BatchUuids {
  readonly #tasks: readonly Task[];
  #own: ReadonlySet<string> | undefined;
  /** Uuids by their text in lower case; undefined for a text that several have. Made when it is needed. */
  #folded: Map<string, string | undefined> | undefined;

  constructor(tasks: readonly Task[]) {
    this.#tasks = tasks;
  }

  get #uuids(): ReadonlySet<string> {
    this.#own ??= new Set(this.#tasks.map(({ uuid }) => uuid));
    return this.#own;
  }

  /** Returns the uuid of the batch that a text is, in any case of its letters; undefined if it is none of them. */
  match(text: string): string | undefined {
    if (this.#uuids.has(text)) return text;
    this.#folded ??= this.#fold();
    return this.#folded.get(text.toLowerCase());
  }

  /**
   * Returns the place of the task that has this uuid, from 0; undefined if that is the task at `place`, or none of the
   * batch.
   */
  otherPlace(uuid: unknown, place: number): number | undefined {
    const own = this.#tasks[place]?.uuid;
    if (typeof uuid !== 'string' || uuid === own) return undefined;
    const match = this.match(uuid);
    return match === undefined || match === own
      ? undefined
      : this.#tasks.findIndex((task) => task.uuid === match);
  }

  #fold(): Map<string, string | undefined> {
    const folded = new Map<string, string | undefined>();
    for (const uuid of this.#uuids) {
      const text = uuid.toLowerCase();
      folded.set(text, folded.has(text) ? undefined : uuid);
    }
    return folded;
  }
}
