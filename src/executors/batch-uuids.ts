import type { Task } from '../core/record/task.ts';

/** Uuids of the tasks of a batch, by which its answer is paired with them. */
export class BatchUuids {
  readonly #tasks: readonly Task[];
  /** Places of the tasks by their uuids; the first one of a uuid. Made when it is needed. */
  #places: Map<string, number> | undefined;
  /** Places by the uuids in lower case; undefined for a text of several uuids. Made when it is needed. */
  #folded: Map<string, number | undefined> | undefined;

  constructor(tasks: readonly Task[]) {
    this.#tasks = tasks;
  }

  /**
   * Returns the place of the first task with a uuid, from 0; undefined if there is none. The case of letters does not
   * matter, unless uuids differ only in it.
   */
  placeOf(uuid: string): number | undefined {
    this.#places ??= this.#read();
    const place = this.#places.get(uuid);
    if (place !== undefined) return place;
    this.#folded ??= this.#fold(this.#places);
    return this.#folded.get(uuid.toLowerCase());
  }

  /** Returns the uuid of the batch that a text is, in any case of its letters; undefined if it is none of them. */
  match(text: string): string | undefined {
    const place = this.placeOf(text);
    return place === undefined ? undefined : this.#tasks[place]?.uuid;
  }

  /** Returns the place of the task that has this uuid; undefined if that is the task at `place`, or there is none. */
  otherPlace(uuid: unknown, place: number): number | undefined {
    const own = this.#tasks[place]?.uuid;
    if (typeof uuid !== 'string' || uuid === own) return undefined;
    const other = this.placeOf(uuid);
    return other === undefined || this.#tasks[other]?.uuid === own ? undefined : other;
  }

  #read(): Map<string, number> {
    const places = new Map<string, number>();
    for (const [i, { uuid }] of this.#tasks.entries()) if (!places.has(uuid)) places.set(uuid, i);
    return places;
  }

  #fold(places: ReadonlyMap<string, number>): Map<string, number | undefined> {
    const folded = new Map<string, number | undefined>();
    for (const [uuid, place] of places) {
      const text = uuid.toLowerCase();
      folded.set(text, folded.has(text) ? undefined : place);
    }
    return folded;
  }
}

/** Returns the places of the items of each uuid. @param owners uuid that each item shows; undefined for one that shows none */
export function placesOf(owners: readonly (string | undefined)[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [i, uuid] of owners.entries()) {
    if (uuid === undefined) continue;
    const same = places.get(uuid);
    if (same === undefined) places.set(uuid, [i]);
    else same.push(i);
  }
  return places;
}

/** Returns the number of tasks of each uuid. */
export function countsOf(tasks: readonly Task[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { uuid } of tasks) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
  return counts;
}
