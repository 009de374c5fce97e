/** What can be in one bag at a time. */
export interface Bagged {
  /** Where it is there; -1: in none. */
  place: number;
}

/**
 * What is under way, in no order. Not a `Set`: V8 links each table that a Set outgrows to the next one, so where items
 * come and go by the million, one dead table that grew old keeps all later ones, and their items, from the quick
 * garbage collection.
 */
export class Bag<T extends Bagged> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Takes an item out. Returns whether it was in. */
  delete(item: T): boolean {
    if (item.place < 0) return false;
    const last = this.#items.pop() as T;
    if (last !== item) {
      this.#items[item.place] = last;
      last.place = item.place;
    }
    item.place = -1;
    return true;
  }

  /** Takes all out. */
  clear(): void {
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }
}
