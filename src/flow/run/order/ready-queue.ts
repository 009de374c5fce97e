/**
 * Atoms that may start, each once, the lowest rank first. A binary heap: a list would have to be sorted again after
 * each atom.
 */
export class ReadyQueue {
  readonly #rankOf: (index: number) => number;
  /** Rank of each atom in the queue, by its index; undefined for the others. */
  readonly #ranks: (number | undefined)[];
  readonly #heap: number[] = [];

  /**
   * @param count number of atoms
   * @param rankOf returns the rank that an atom has now
   */
  constructor(count: number, rankOf: (index: number) => number) {
    this.#ranks = new Array(count);
    this.#rankOf = rankOf;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Adds an atom. If it is in the queue already, its rank is updated. */
  add(index: number): void {
    const rank = this.#rankOf(index);
    const known = this.#ranks[index];
    if (known === rank) return;
    this.#ranks[index] = rank;
    if (known === undefined) this.#push(index);
    else this.#heap.sort((a, b) => this.#compare(a, b));
  }

  /** Orders all atoms by their current ranks. */
  reorder(): void {
    for (const index of this.#heap) this.#ranks[index] = this.#rankOf(index);
    this.#heap.sort((a, b) => this.#compare(a, b)); // a sorted list is a heap
  }

  clear(): void {
    for (const index of this.#heap) this.#ranks[index] = undefined;
    this.#heap.length = 0;
  }

  /** Removes the first atom and returns it. */
  shift(): number | undefined {
    const [first] = this.#heap;
    if (first === undefined) return undefined;
    this.#ranks[first] = undefined;
    const last = this.#heap.pop() as number;
    if (last !== first) this.#sink(last);
    return first;
  }

  #compare(a: number, b: number): number {
    return (this.#ranks[a] as number) - (this.#ranks[b] as number) || a - b;
  }

  #push(index: number): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const up = heap[(at - 1) >> 1] as number;
      if (this.#compare(index, up) >= 0) break;
      heap[at] = up;
      at = (at - 1) >> 1;
    }
    heap[at] = index;
  }

  /** Puts an atom in the place of the first one, and moves it down to where it belongs. */
  #sink(index: number): void {
    const heap = this.#heap;
    let at = 0;
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      const right = heap[down + 1];
      if (right !== undefined && this.#compare(right, heap[down] as number) < 0) down++;
      if (this.#compare(heap[down] as number, index) >= 0) break;
      heap[at] = heap[down] as number;
      at = down;
    }
    heap[at] = index;
  }
}
