/** What a node of the graph of a flow is: a flow begins, a flow ends, an atom. */
export type NodeKind = 'flow' | 'end' | 'task' | 'retry';

/** Which kinds of nodes are walked through, beside tasks. What is behind the others is not seen. */
export interface Through {
  readonly flows?: boolean;
  readonly retries?: boolean;
}

/** A directed graph of the nodes 0, 1, 2, … Edges stay in the order in which they were added. */
export class Digraph {
  readonly kinds: NodeKind[] = [];
  readonly successors: number[][] = [];
  readonly predecessors: number[][] = [];

  addNode(kind: NodeKind): number {
    this.successors.push([]);
    this.predecessors.push([]);
    return this.kinds.push(kind) - 1;
  }

  /** Adds an edge, where it is not there yet. */
  addEdge(from: number, to: number): void {
    if (this.successors[from]?.includes(to)) return;
    this.successors[from]?.push(to);
    this.predecessors[to]?.push(from);
  }

  isAtom(node: number): boolean {
    const kind = this.kinds[node];
    return kind === 'task' || kind === 'retry';
  }

  /** The atoms that come after a node, the deepest first, as TaskFlow walks. */
  depthFirst(start: number, through: Through = {}): number[] {
    return this.#walk(start, this.successors, (nodes) => nodes.pop(), through);
  }

  /** The atoms that come after a node, the nearest first. */
  breadthFirst(start: number): number[] {
    return this.#walk(start, this.successors, shifter(), {});
  }

  /** The atoms that come before a node, the nearest first. */
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

/** Takes nodes from the front. The list stays as it is, for `shift()` of a long one is slow. */
function shifter(): (nodes: number[]) => number | undefined {
  let at = 0;
  return (nodes) => nodes[at++];
}

/**
 * The nodes 0 to `count - 1` in an order in which each comes after those that lead to it: those without any first,
 * then those that wait for them alone, and so on.
 * @returns undefined where they run in a circle
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
