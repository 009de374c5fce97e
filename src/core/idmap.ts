import { IdSet } from './idset.ts';

/** Values of a chunk. */
const CHUNK = 65_536;

/** Numbers by id, 8 bytes more for each than in an `IdSet`. */
export class IdMap {
  readonly #ids = new IdSet();
  /** The values by the numbers of their ids. */
  readonly #values: Float64Array[] = [];

  /** How many ids are in. */
  get size(): number {
    return this.#ids.size;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  /** The number of an id, or undefined where it is not in. */
  get(id: string): number | undefined {
    const number = this.#ids.numberOf(id);
    return number < 0 ? undefined : this.#values[number >>> 16]?.[number & (CHUNK - 1)];
  }

  /** Puts an id in, or gives it another number. Returns whether it is new. */
  set(id: string, value: number): boolean {
    const isNew = this.#ids.add(id);
    const number = this.#ids.added;
    const chunk = number >>> 16;
    this.#values[chunk] ??= new Float64Array(CHUNK);
    this.#values[chunk][number & (CHUNK - 1)] = value;
    return isNew;
  }

  /** Takes an id out. Returns whether it was in. */
  delete(id: string): boolean {
    return this.#ids.delete(id);
  }
}
