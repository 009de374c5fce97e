import type { Depth } from '../decider.ts';
import type { Digraph } from './digraph.ts';

/**
 * Atoms of a flow as a graph. Atoms have indexes, in the order of their nodes. Predecessors and successors of an atom
 * are computed on demand: tables of them would grow with the square of the number of atoms.
 */
export class AtomGraph {
  readonly digraph: Digraph;
  /** Nodes of the atoms. */
  readonly nodes: readonly number[];
  /** Index of the atom at each node; -1 at the start and end of a flow. */
  readonly atoms: readonly number[];

  constructor(digraph: Digraph, nodes: readonly number[]) {
    this.digraph = digraph;
    this.nodes = nodes;
    const atoms = new Array<number>(digraph.kinds.length).fill(-1);
    for (const [index, node] of nodes.entries()) atoms[node] = index;
    this.atoms = atoms;
  }

  #atomsAt(nodes: readonly number[]): number[] {
    return nodes.map((node) => this.atoms[node] as number);
  }

  #node(index: number): number {
    return this.nodes[index] as number;
  }

  /** Returns the atoms that must end before an atom starts, the nearest first. */
  before(index: number): number[] {
    return this.#atomsAt(this.digraph.breadthFirstBack(this.#node(index)));
  }

  /** Returns the atoms after an atom, depth first: the order in which a retry resets them. */
  after(index: number): number[] {
    return this.#atomsAt(this.digraph.depthFirst(this.#node(index)));
  }

  /** Returns the atoms after an atom, the nearest first. */
  next(index: number): number[] {
    return this.#atomsAt(this.digraph.breadthFirst(this.#node(index)));
  }

  /** Returns the atoms to ignore if a decider of an atom says no. */
  reach(index: number, depth: Depth): number[] {
    const { digraph } = this;
    const node = this.#node(index);
    if (depth === 'ATOM') return [index];
    if (depth === 'ALL') return [index, ...this.after(index)];
    const others =
      depth === 'FLOW'
        ? digraph.depthFirst(node, { flows: false, retries: false })
        : (digraph.successors[node] as number[]).filter((other) => digraph.kinds[other] === 'task');
    return [index, ...this.#atomsAt(others)];
  }
}
