/** Kind of a node in the graph of a flow: the start of a flow, its end, or an atom (`task`, `retry`). */
export type NodeKind = 'flow' | 'end' | 'task' | 'retry';

/** Kinds of nodes that a walk continues behind, besides tasks. Default: all. `flows` includes their ends. */
export interface Through {
  readonly flows?: boolean;
  readonly retries?: boolean;
}

/** Directed graph of the nodes 0, 1, 2, … Edges stay in the order in which they were added. */
export class Digraph {
  readonly kinds: NodeKind[] = [];
  readonly successors: number[][] = [];
  readonly predecessors: number[][] = [];

  addNode(kind: NodeKind): number {
    this.successors.push([]);
    this.predecessors.push([]);
    return this.kinds.push(kind) - 1;
  }

  /** Adds an edge, unless the graph has it already. */
  addEdge(from: number, to: number): void {
    if (this.successors[from]?.includes(to)) return;
    this.successors[from]?.push(to);
    this.predecessors[to]?.push(from);
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
    const seen = new Set<number>();
    const found: number[] = [];
    for (let node = next(open); node !== undefined; node = next(open)) {
      if (seen.has(node)) continue;
      seen.add(node);
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

/**
 * Sorts the nodes 0 to `count - 1` so that every edge leads forward. Nodes without predecessors come first,
 * then those that wait only for these, and so on.
 * @returns undefined if the edges have a cycle
 */
export function topological(
  count: number,
  edges: readonly (readonly [number, number])[],
): number[] | undefined {
  const waits = new Array<number>(count).fill(0);
  const after: number[][] = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) {
    waits[to] = (waits[to] as number) + 1;
    after[from]?.push(to);
  }
  const order = waits.flatMap((number, node) => (number === 0 ? [node] : []));
  for (const node of order) {
    for (const next of after[node] ?? []) {
      waits[next] = (waits[next] as number) - 1;
      if (waits[next] === 0) order.push(next);
    }
  }
  return order.length === count ? order : undefined;
}
