/**
 * Counts of the predecessors that each node of a graph waits for. A node is settled if its own atom and all nodes
 * before it are. The counts are updated with each change of an atom, so that no atom has to check all its
 * predecessors.
 */
export class Waits {
  readonly #next: readonly (readonly number[])[];
  /** For each node: the direct predecessors that are not settled, and 1 more if its own atom is not. */
  readonly #counts: number[];

  /**
   * @param next nodes directly after each node
   * @param counts counts to begin with, of `counts()`; default: all nodes are settled
   */
  constructor(next: readonly (readonly number[])[], counts?: readonly number[]) {
    this.#next = next;
    this.#counts = counts?.slice() ?? new Array<number>(next.length).fill(0);
  }

  /** Returns a copy of all counts. */
  counts(): readonly number[] {
    return this.#counts.slice();
  }

  /** Returns true if the atom of a node and everything before it is settled. */
  isSettled(node: number): boolean {
    return this.#counts[node] === 0;
  }

  /** Returns true if everything before a node is settled, but not its own atom. */
  isNext(node: number): boolean {
    return this.#counts[node] === 1;
  }

  /** Records that the atom of a node became settled, or is not settled any more. */
  set(node: number, isSettled: boolean): void {
    this.#change(node, isSettled ? -1 : 1);
  }

  #change(start: number, step: 1 | -1): void {
    if (!this.#step(start, step)) return;
    const open = [start];
    for (let node = open.pop(); node !== undefined; node = open.pop())
      for (const next of this.#next[node] as readonly number[]) if (this.#step(next, step)) open.push(next);
  }

  /** Returns true if the node became settled, or stopped being so. */
  #step(node: number, step: 1 | -1): boolean {
    const before = this.#counts[node] as number;
    this.#counts[node] = before + step;
    return before === 0 || before + step === 0;
  }
}
