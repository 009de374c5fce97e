import type { Task } from '../core/record/task.ts';

/** Uuids of the tasks of a batch, by which its answer is paired with them. */
export class BatchUuids {
  readonly #tasks: readonly Task[];
  readonly #own: ReadonlySet<string>;
  /** Uuids by their text in lower case; undefined for a text that several have. Made when it is needed. */
  #folded: Map<string, string | undefined> | undefined;

  constructor(tasks: readonly Task[]) {
    this.#tasks = tasks;
    this.#own = new Set(tasks.map(({ uuid }) => uuid));
  }

  /** Returns the uuid of the batch that a text is, in any case of its letters; undefined if it is none of them. */
  match(text: string): string | undefined {
    if (this.#own.has(text)) return text;
    this.#folded ??= this.#fold();
    return this.#folded.get(text.toLowerCase());
  }

  /** Returns whether a text is the uuid of another task of the batch than the one at this place. */
  isOfAnother(text: unknown, place: number): boolean {
    if (typeof text !== 'string' || text === this.#tasks[place]?.uuid) return false;
    const uuid = this.match(text);
    return uuid !== undefined && uuid !== this.#tasks[place]?.uuid;
  }

  #fold(): Map<string, string | undefined> {
    const folded = new Map<string, string | undefined>();
    for (const uuid of this.#own) {
      const text = uuid.toLowerCase();
      folded.set(text, folded.has(text) ? undefined : uuid);
    }
    return folded;
  }
}
