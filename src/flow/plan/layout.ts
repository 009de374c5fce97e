import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom } from '../atom.ts';
import type { Decider, Depth } from '../decider.ts';
import { type Flow, isFlow } from '../patterns.ts';
import type { Retry } from '../retry.ts';
import { Digraph } from './digraph.ts';
import { orderOf } from './links.ts';

/** Atom or flow in the tree of nested flows. The graph does not show this tree. */
export interface Branch {
  /** First node in the graph. An atom is one node: its `tail` is the same. */
  readonly head: number;
  readonly tail: number;
  readonly parent: Branch | undefined;
  /** Parts of a flow, its retry controller first. */
  readonly children: Branch[];
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
  /** Deciders of links made by `link()`, by the nodes `from,to` of the edge. */
  readonly deciders: ReadonlyMap<string, { readonly decider: Decider; readonly depth: Depth }>;
}

/**
 * Makes one graph of nested flows, like TaskFlow's compiler. Each flow becomes a start node, then its retry
 * controller, its parts, and an end node.
 * @throws {TaskpipeError} `USAGE` if a flow occurs twice (also within itself), or a graph cannot be ordered
 */
export function layOut(flow: Flow): Layout {
  const maker = new LayoutMaker();
  maker.layFlow(flow, undefined);
  return maker;
}

class LayoutMaker implements Layout {
  readonly graph = new Digraph();
  readonly placed = new Map<number, Placed>();
  readonly controllers = new Map<number, number>();
  readonly deciders = new Map<string, { decider: Decider; depth: Depth }>();
  readonly #seen = new Set<Flow>();

  layFlow(flow: Flow, parent: Branch | undefined): Branch {
    if (this.#seen.has(flow))
      throw new TaskpipeError('USAGE', `flow "${flow.name}" is there twice; add each flow in one place`);
    this.#seen.add(flow);
    Object.freeze(flow.parts);
    Object.freeze(flow.links);
    const { graph } = this;
    const head = graph.addNode('flow');
    const branch = { head, tail: head, parent, children: [] as Branch[] };
    const { parts, links } = orderOf(flow);
    const branches = parts.map((part) =>
      isFlow(part)
        ? this.layFlow(part, branch)
        : this.#layAtom({ name: part.name, atom: part }, flow, branch),
    );
    for (const [from, to, link] of links) {
      const [{ tail }, { head: next }] = [branches[from] as Branch, branches[to] as Branch];
      graph.addEdge(tail, next);
      if (link?.decider !== undefined)
        this.deciders.set(`${tail},${next}`, { decider: link.decider, depth: link.depth ?? 'ALL' });
    }
    const last = this.#layRetry(flow, branch) ?? head;
    for (const { head: first } of branches)
      if (graph.predecessors[first]?.length === 0) graph.addEdge(last, first);
    branch.children.push(...branches);
    branch.tail = graph.addNode('end');
    const ends = branches.map(({ tail }) => tail).filter((node) => graph.successors[node]?.length === 0);
    for (const end of ends.length > 0 ? ends : [last]) graph.addEdge(end, branch.tail);
    return branch;
  }

  #layAtom(what: Pick<Placed, 'name' | 'atom' | 'retry'>, { name: flow }: Flow, parent: Branch): Branch {
    const node = this.graph.addNode(what.atom === undefined ? 'retry' : 'task');
    const branch = { head: node, tail: node, parent, children: [] };
    this.placed.set(node, { ...what, flow, branch });
    return branch;
  }

  /** Adds the retry controller of a flow. It controls all nodes of the flow without a nearer controller. */
  #layRetry(flow: Flow, branch: Branch): number | undefined {
    const { retry } = flow;
    if (retry === undefined) return undefined;
    const placed = this.#layAtom({ name: retry.name ?? `${flow.name}_retry`, retry }, flow, branch);
    const node = placed.head;
    this.graph.addEdge(branch.head, node);
    for (let inner = branch.head + 1; inner < node; inner++)
      if (!this.controllers.has(inner)) this.controllers.set(inner, node);
    branch.children.push(placed);
    return node;
  }
}
