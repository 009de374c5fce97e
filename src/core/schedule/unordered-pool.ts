/** An item that can be in one pool at a time. */
export interface Pooled {
  /** Index in the pool; -1 if it is in none. */
  place: number;
}

/**
 * Items in flight, unordered. This is not a `Set` because V8 links each table that a Set outgrows to the next one: if
 * items come and go by the million, one dead table in the old generation keeps all later ones, and their items, from
 * being collected by the scavenger.
 */
export class UnorderedPool<T extends Pooled> implements Iterable<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: T): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Removes an item. Returns whether it was in the pool. */
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

  /** Removes all items. */
  clear(): void {
    for (const item of this.#items) item.place = -1;
    this.#items.length = 0;
  }

  [Symbol.iterator](): Iterator<T> {
    return this.#items.values();
  }
}
