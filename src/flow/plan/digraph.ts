/** Kind of a node in the graph of a flow: the start of a flow, its end, or an atom (`task`, `retry`). */
export type NodeKind = 'flow' | 'end' | 'task' | 'retry';

/** Kinds of nodes after which a walk continues, besides tasks. Default: all. `flows` includes their ends. */
export interface Through {
  readonly flows?: boolean;
  readonly retries?: boolean;
}

/** Directed graph of the nodes 0, 1, 2, … Edges stay in the order in which they were added. */
export class Digraph {
  readonly kinds: NodeKind[] = [];
  readonly successors: number[][] = [];
  readonly predecessors: number[][] = [];
  /** Number of the last walk that visited a node. */
  readonly #seen: number[] = [];
  #walks = 0;

  addNode(kind: NodeKind): number {
    this.successors.push([]);
    this.predecessors.push([]);
    this.#seen.push(0);
    return this.kinds.push(kind) - 1;
  }

  /** Adds an edge, unless the graph has it already. */
  addEdge(from: number, to: number): void {
    const [after, before] = [this.successors[from] as number[], this.predecessors[to] as number[]];
    if (after.length < before.length ? after.includes(to) : before.includes(from)) return;
    after.push(to);
    before.push(from);
  }

  isAtom(node: number): boolean {
    const kind = this.kinds[node];
    return kind === 'task' || kind === 'retry';
  }

  /** Returns the atoms after a node in depth-first order, parents before children, as TaskFlow does. */
  depthFirst(start: number, through: Through = {}): number[] {
    return this.#walk(start, this.successors, (nodes) => nodes.pop(), through);
  }

  /** Returns the atoms after a node, the nearest first. */
  breadthFirst(start: number): number[] {
    return this.#walk(start, this.successors, shifter(), {});
  }

  /** Returns the atoms before a node, the nearest first. */
  breadthFirstBack(start: number, through: Through = {}): number[] {
    return this.#walk(start, this.predecessors, shifter(), through);
  }

  #walk(
    start: number,
    edges: readonly (readonly number[])[],
    next: (nodes: number[]) => number | undefined,
    { flows = true, retries = true }: Through,
  ): number[] {
    const open = [...(edges[start] ?? [])];
    const walk = ++this.#walks;
    const found: number[] = [];
    for (let node = next(open); node !== undefined; node = next(open)) {
      if (this.#seen[node] === walk) continue;
      this.#seen[node] = walk;
      if (this.isAtom(node)) found.push(node);
      const kind = this.kinds[node];
      const isOpen = kind === 'task' || (kind === 'retry' ? retries : flows);
      if (isOpen) for (const other of edges[node] ?? []) open.push(other);
    }
    return found;
  }
}

/** Returns a function that reads a list from the front without `shift()`, which is slow for a long list. */
function shifter(): (nodes: number[]) => number | undefined {
  let at = 0;
  return (nodes) => nodes[at++];
}

type Edge = readonly [from: number, to: number, ...unknown[]];

/**
 * Sorts the nodes 0 to `count - 1` so that every edge leads forward. Nodes without predecessors come first,
 * then those that wait only for these, and so on.
 * @returns undefined if the edges have a cycle
 */
export function topological(count: number, edges: readonly Edge[]): number[] | undefined {
  const { order } = sorted(count, edges);
  return order.length === count ? order : undefined;
}

/** Returns as many nodes as can be sorted, and for each of the others how many of its predecessors are left. */
function sorted(
  count: number,
  edges: readonly Edge[],
): { readonly order: number[]; readonly waits: number[] } {
  const waits = new Array<number>(count).fill(0);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    waits[to] = (waits[to] as number) + 1;
    after[from]?.push(to);
  }
  const order: number[] = [];
  for (const [node, number] of waits.entries()) if (number === 0) order.push(node);
  for (const node of order) {
    for (const next of after[node] ?? []) {
      waits[next] = (waits[next] as number) - 1;
      if (waits[next] === 0) order.push(next);
    }
  }
  return { order, waits };
}

/** Returns a cycle of the edges, which must have one. Its first node is also its last. */
export function circleOf(count: number, edges: readonly Edge[]): number[] {
  // Nodes that cannot be sorted in either direction are on a cycle, or between two cycles.
  const { waits } = sorted(count, edges);
  const back = sorted(
    count,
    edges.filter(([from, to]) => isLeft(waits, from) && isLeft(waits, to)).map(([from, to]) => [to, from]),
  );
  const next = new Map<number, number>();
  for (const [from, to] of edges) {
    if (isLeft(back.waits, from) && isLeft(back.waits, to) && !next.has(from)) next.set(from, to);
  }
  const path: number[] = [];
  const places = new Map<number, number>();
  for (let node = smallest(next.keys()); ; node = next.get(node) as number) {
    const met = places.get(node);
    path.push(node);
    if (met !== undefined) return path.slice(met);
    places.set(node, path.length - 1);
  }
}

function smallest(nodes: Iterable<number>): number {
  let found = Number.POSITIVE_INFINITY;
  for (const node of nodes) found = Math.min(found, node);
  return found;
}

function isLeft(waits: readonly number[], node: number): boolean {
  return (waits[node] as number) > 0;
}
