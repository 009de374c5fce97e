import type { Atom } from '../atom.ts';
import type { Decider, Depth } from '../decider.ts';
import { type Flow, isFlow, type Pattern } from '../patterns.ts';
import type { Retry } from '../retry.ts';
import { Digraph } from './digraph.ts';
import { type Ordered, ordersOf } from './links.ts';
import { PartTree } from './part-tree.ts';

/** Atom or flow in the tree of nested flows. The graph does not show this tree. */
export interface Branch {
  /** First node in the graph. An atom is one node: its `tail` is the same. */
  readonly head: number;
  readonly tail: number;
  readonly parent: Branch | undefined;
  /** Number of flows around it. */
  readonly depth: number;
  /** Number in the tree: a flow comes before its retry controller, and that before its parts. */
  readonly place: number;
  /** Position among the parts of the flow around it; -1 for a retry controller. */
  readonly position: number;
  /** Order of its parts; undefined for an atom. */
  readonly order: Ordered | undefined;
  /** Pattern of a flow. */
  readonly pattern: Pattern | undefined;
  /** Retry controller of a flow. */
  readonly retry: Placed | undefined;
}

/** Atom or retry controller at a node of the graph. */
export interface Placed {
  readonly name: string;
  /** Name of the flow that it belongs to. */
  readonly flow: string;
  readonly atom?: Atom;
  readonly retry?: Retry;
  readonly branch: Branch;
}

/** Flow and all flows nested in it, as one graph. */
export interface Layout {
  readonly graph: Digraph;
  /** Atoms and retry controllers, by node. */
  readonly placed: ReadonlyMap<number, Placed>;
  /** Nodes of the retry controllers to ask, by the node that fails. */
  readonly controllers: ReadonlyMap<number, number>;
  /** Deciders of explicit links, by the nodes `from,to` of the edge. */
  readonly deciders: ReadonlyMap<string, { readonly decider: Decider; readonly depth: Depth }>;
}

/**
 * Turns nested flows into one graph, like TaskFlow's compiler. Each flow becomes a start node, then its retry
 * controller, its parts, and an end node.
 * @throws {TaskpipeError} `USAGE` if a flow occurs twice (also within itself), or a graph cannot be ordered
 */
export function layOut(flow: Flow): Layout {
  return new Layouter(ordersOf(new PartTree(flow))).layOut(flow);
}

/** Flow whose parts are being laid out. */
interface OpenFlow {
  readonly flow: Flow;
  readonly branch: Branch & { tail: number; retry: Placed | undefined };
  readonly order: Ordered;
  /** Parts that are laid out already. */
  readonly branches: Branch[];
}

class Layouter {
  readonly #orders: ReadonlyMap<Flow, Ordered>;
  readonly #graph = new Digraph();
  readonly #placed = new Map<number, Placed>();
  readonly #deciders = new Map<string, { decider: Decider; depth: Depth }>();
  #places = 0;

  constructor(orders: ReadonlyMap<Flow, Ordered>) {
    this.#orders = orders;
  }

  /** Lays out a flow. It keeps its own stack, because flows may be nested deeper than the call stack allows. */
  layOut(root: Flow): Layout {
    const open = [this.#enter(root, undefined)];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const part = top.order.parts[top.branches.length];
      if (part === undefined) {
        this.#leave(top);
        open.pop();
        open.at(-1)?.branches.push(top.branch);
      } else if (isFlow(part)) open.push(this.#enter(part, top));
      else top.branches.push(this.#layAtom({ name: part.name, atom: part }, top, this.#places++).branch);
    }
    const [graph, placed, deciders] = [this.#graph, this.#placed, this.#deciders];
    return { graph, placed, controllers: controllersOf(placed), deciders };
  }

  #enter(flow: Flow, around: OpenFlow | undefined): OpenFlow {
    const head = this.#graph.addNode('flow');
    const order = this.#orders.get(flow) as Ordered;
    const branch = {
      ...{ head, tail: head, parent: around?.branch, depth: (around?.branch.depth ?? -1) + 1 },
      ...{ place: this.#places, position: around?.branches.length ?? 0 },
      ...{ order, pattern: flow.pattern, retry: undefined },
    };
    this.#places += 2; // the second node is its retry controller
    return { flow, branch, order, branches: [] };
  }

  /** Links the parts of a flow, and adds its retry controller and its end. */
  #leave(open: OpenFlow): void {
    const graph = this.#graph;
    const { branch, branches, order } = open;
    for (const [from, to, link] of order.links) {
      const [{ tail }, { head: next }] = [branches[from] as Branch, branches[to] as Branch];
      graph.addEdge(tail, next);
      if (link?.decider !== undefined)
        this.#deciders.set(`${tail},${next}`, { decider: link.decider, depth: link.depth ?? 'ALL' });
    }
    branch.retry = this.#layRetry(open);
    const last = branch.retry?.branch.head ?? branch.head;
    for (const { head: first } of branches)
      if (graph.predecessors[first]?.length === 0) graph.addEdge(last, first);
    branch.tail = graph.addNode('end');
    const ends = branches.map(({ tail }) => tail).filter((node) => graph.successors[node]?.length === 0);
    for (const end of ends.length > 0 ? ends : [last]) graph.addEdge(end, branch.tail);
  }

  #layAtom(what: Pick<Placed, 'name' | 'atom' | 'retry'>, around: OpenFlow, place: number): Placed {
    const isRetry = what.atom === undefined;
    const node = this.#graph.addNode(isRetry ? 'retry' : 'task');
    const { branch: parent, branches, flow } = around;
    const branch: Branch = {
      ...{ head: node, tail: node, parent, depth: parent.depth + 1, place },
      ...{ position: isRetry ? -1 : branches.length, order: undefined, pattern: undefined, retry: undefined },
    };
    const placed = { ...what, flow: flow.name, branch };
    this.#placed.set(node, placed);
    return placed;
  }

  #layRetry(open: OpenFlow): Placed | undefined {
    const { flow, branch } = open;
    const { retry } = flow;
    if (retry === undefined) return undefined;
    const placed = this.#layAtom({ name: retry.name ?? `${flow.name}_retry`, retry }, open, branch.place + 1);
    this.#graph.addEdge(branch.head, placed.branch.head);
    return placed;
  }
}

/**
 * Returns the node of the nearest retry controller around each atom. For a controller, it is the one around its flow.
 */
function controllersOf(placed: ReadonlyMap<number, Placed>): Map<number, number> {
  const nearest = new Map<Branch, number | undefined>();
  const controllers = new Map<number, number>();
  for (const [node, { branch, retry }] of placed) {
    const { parent } = branch;
    const found = nearestRetry(retry === undefined ? parent : parent?.parent, nearest);
    if (found !== undefined) controllers.set(node, found);
  }
  return controllers;
}

/** Returns the node of the retry controller of a flow, or of the nearest flow around it that has one. */
function nearestRetry(from: Branch | undefined, known: Map<Branch, number | undefined>): number | undefined {
  const passed: Branch[] = [];
  let [branch, found] = [from, undefined as number | undefined];
  for (; branch !== undefined; branch = branch.parent) {
    found = known.has(branch) ? known.get(branch) : branch.retry?.branch.head;
    if (found !== undefined || known.has(branch)) break;
    passed.push(branch);
  }
  for (const one of passed) known.set(one, found);
  return found;
}
