/** Maximum number of nodes in a search for a near node. */
const NEAR = 64;

/** Number of nodes whose successors are cached. */
const REMEMBERED = 64;

/**
 * Answers which nodes of an acyclic graph precede others, without a table of all pairs: it would have 50 million
 * pairs for 10,000 nodes. Near nodes are found by a short search; for others, all successors of the first node are
 * computed and cached for further queries about it.
 */
export class Ancestry {
  readonly #after: number[][];
  readonly #before: number[][];
  readonly #places: ArrayLike<number> | undefined;
  /** Number of the last search that visited a node. */
  readonly #seen: Uint32Array;
  #searches = 0;
  readonly #reached = new Map<number, Uint8Array>();

  /**
   * @param count number of nodes
   * @param edges pairs of a node and a direct successor
   * @param places positions of the nodes in an order in which all edges lead forward; default: their numbers
   */
  constructor(
    count: number,
    edges: Iterable<readonly [number, number, ...unknown[]]>,
    places?: ArrayLike<number>,
  ) {
    this.#after = Array.from({ length: count }, () => []);
    this.#before = Array.from({ length: count }, () => []);
    this.#places = places;
    this.#seen = new Uint32Array(count);
    for (const [from, to] of edges) {
      this.#after[from]?.push(to);
      this.#before[to]?.push(from);
    }
  }

  /** Returns true if there is a path from one node to the other. */
  isBefore(from: number, to: number): boolean {
    if (this.#placeOf(from) >= this.#placeOf(to)) return false;
    const [after, before] = [this.#after[from] as number[], this.#before[to] as number[]];
    if (after.length < before.length ? after.includes(to) : before.includes(from)) return true;
    const reached = this.#reached.get(from);
    if (reached !== undefined) return reached[to] === 1;
    return this.#searchNear(from, to) ?? this.#reach(from)[to] === 1;
  }

  #placeOf(node: number): number {
    return this.#places === undefined ? node : (this.#places[node] as number);
  }

  /** Searches backwards. Returns undefined if there are too many nodes between the two. */
  #searchNear(from: number, to: number): boolean | undefined {
    const search = ++this.#searches;
    const first = this.#placeOf(from);
    const open = [to];
    for (const node of open) {
      for (const other of this.#before[node] as number[]) {
        if (other === from) return true;
        if (this.#placeOf(other) < first || this.#seen[other] === search) continue;
        if (open.length >= NEAR) return undefined;
        this.#seen[other] = search;
        open.push(other);
      }
    }
    return false;
  }

  /** Returns a table with a 1 for every node after a node. */
  #reach(from: number): Uint8Array {
    const reached = new Uint8Array(this.#after.length);
    const open = [from];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      for (const other of this.#after[node] as number[]) {
        if (reached[other] === 1) continue;
        reached[other] = 1;
        open.push(other);
      }
    }
    const [oldest] = this.#reached.keys();
    if (this.#reached.size >= REMEMBERED && oldest !== undefined) this.#reached.delete(oldest);
    this.#reached.set(from, reached);
    return reached;
  }
}
