/**
 * Atoms that may start, each once, the one with the lowest rank first. A binary heap: a list would be sorted again
 * for each atom that ends.
 */
export class ReadyQueue {
  readonly #rankOf: (index: number) => number;
  /** Rank of each atom that waits. */
  readonly #ranks = new Map<number, number>();
  /** Pairs of rank and index. A pair whose rank is no longer that of its atom is skipped. */
  #heap: (readonly [rank: number, index: number])[] = [];

  /** @param rankOf returns the rank that an atom has now */
  constructor(rankOf: (index: number) => number) {
    this.#rankOf = rankOf;
  }

  get size(): number {
    return this.#ranks.size;
  }

  /** Adds an atom. If it is there already, it gets the rank that it has now. */
  add(index: number): void {
    const rank = this.#rankOf(index);
    if (this.#ranks.get(index) === rank) return;
    this.#ranks.set(index, rank);
    this.#push([rank, index]);
  }

  /** Orders all atoms by the ranks that they have now. */
  reorder(): void {
    const indexes = [...this.#ranks.keys()];
    this.clear();
    for (const index of indexes) this.add(index);
  }

  clear(): void {
    this.#ranks.clear();
    this.#heap = [];
  }

  /** Removes the first atom and returns it. */
  shift(): number | undefined {
    for (let first = this.#pop(); first !== undefined; first = this.#pop()) {
      const [rank, index] = first;
      if (this.#ranks.get(index) !== rank) continue;
      this.#ranks.delete(index);
      return index;
    }
    return undefined;
  }

  #push(added: readonly [number, number]): void {
    const heap = this.#heap;
    let at = heap.length;
    for (let up = (at - 1) >> 1; at > 0 && isBefore(added, heap[up]); at = up, up = (at - 1) >> 1)
      heap[at] = heap[up] as readonly [number, number];
    heap[at] = added;
  }

  #pop(): readonly [number, number] | undefined {
    const heap = this.#heap;
    const [first, last] = [heap[0], heap.pop()];
    if (heap.length === 0 || last === undefined) return first;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      if (isBefore(heap[down + 1], heap[down])) down++;
      if (!isBefore(heap[down], last)) break;
      heap[at] = heap[down] as readonly [number, number];
      at = down;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(
  a: readonly [number, number] | undefined,
  b: readonly [number, number] | undefined,
): boolean {
  return a !== undefined && b !== undefined && (a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]));
}
