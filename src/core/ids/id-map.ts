import { IdSet } from './id-set.ts';

/** Values per chunk. */
const CHUNK = 65_536;

/** A map from ids to numbers. An entry takes 8 bytes more than in an `IdSet`. */
export class IdMap {
  readonly #ids = new IdSet();
  /** Values, indexed by the number of their id. */
  readonly #values: Float64Array[] = [];

  /** Number of ids in the map. */
  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Returns the value of an id, or undefined if the id is not in the map. */
  get(id: string): number | undefined {
    const number = this.#ids.numberOf(id);
    return number < 0 ? undefined : this.#values[number >>> 16]?.[number & (CHUNK - 1)];
  }

  /** Sets the value of an id. Returns whether the id is new. */
  set(id: string, value: number): boolean {
    const isNew = this.#ids.add(id);
    const number = this.#ids.added;
    const chunk = number >>> 16;
    this.#values[chunk] ??= new Float64Array(CHUNK);
    this.#values[chunk][number & (CHUNK - 1)] = value;
    return isNew;
  }

  /** Removes an id. Returns whether it was in the map. */
  delete(id: string): boolean {
    return this.#ids.delete(id);
  }
}
