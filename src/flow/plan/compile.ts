import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom, Inputs } from '../atom.ts';
import type { Depth, Gate } from '../decider.ts';
import type { Flow } from '../patterns.ts';
import type { Retry } from '../retry.ts';
import type { AtomKind } from '../run/states.ts';
import { type Layout, layOut, type Placed } from './layout.ts';
import { ambiguous } from './links.ts';
import { type Argument, argumentsOf, type Provision, provisionsOf } from './provision.ts';
import { levelsOf } from './scope.ts';

/** Input of an atom, with the atoms that provide it. */
export interface Source extends Argument {
  /** Atoms that provide it, in the order in which they are searched. */
  readonly providers: readonly { readonly atom: number; readonly provision: Provision }[];
}

/** Atom with everything that is known before a run. It refers to other atoms by index. */
export interface CompiledAtom {
  readonly name: string;
  /** Name of the flow that it belongs to. */
  readonly flow: string;
  readonly kind: AtomKind;
  /** Atom; undefined for a retry controller. */
  readonly atom: Atom | undefined;
  readonly retry: Retry | undefined;
  readonly sources: readonly Source[];
  readonly provisions: readonly Provision[];
  /** Retry controller to ask when it fails; -1 if there is none. */
  readonly controller: number;
  /** Atoms that must end before it starts, the nearest first. */
  readonly before: readonly number[];
  /** Atoms after it, depth first: the order in which a retry resets them. */
  readonly after: readonly number[];
  /** Atoms after it, the nearest first. */
  readonly next: readonly number[];
  /** Atoms that may be reverted after it, the nearest first; none beyond a retry controller. */
  readonly back: readonly number[];
  /** Deciders that it has to pass. */
  readonly gates: readonly Gate[];
  /** Atoms to ignore if a decider says no, by its depth. */
  readonly reach: Readonly<Record<Depth, readonly number[]>>;
}

/** Value that the store must have. */
export interface Need {
  readonly name: string;
  /** Atom that requires it. */
  readonly atom: CompiledAtom;
  /** True if only the `revert` of the atom does. */
  readonly isForRevert: boolean;
}

/** Flow that is ready to run. It holds no state of a run, so any number of runs can share it. */
export interface Compiled {
  readonly name: string;
  readonly atoms: readonly CompiledAtom[];
  /** Indexes by name. */
  readonly indexes: ReadonlyMap<string, number>;
  /** Values that the store must have, because no atom provides them. */
  readonly needs: readonly Need[];
}

const known = new WeakMap<Flow, Compiled>();

/**
 * Compiles a flow, or returns the result of an earlier call. Nothing can be added to the flow afterwards.
 * @throws {TaskpipeError} `USAGE` if the flow cannot run; the message names the flow and the reason
 */
export function compile(flow: Flow): Compiled {
  let compiled = known.get(flow);
  if (compiled === undefined) {
    compiled = compileLayout(flow.name, layOut(flow));
    known.set(flow, compiled);
  }
  return compiled;
}

/**
 * Checks that a store has all values that a flow needs from outside.
 * @returns a message for the user; undefined if nothing is missing
 */
export function missingIn({ name: flow, needs, atoms }: Compiled, store: Inputs): string | undefined {
  const missing = needs.find(({ name }) => !Object.hasOwn(store, name));
  if (missing === undefined) return undefined;
  const { name, atom, isForRevert } = missing;
  const late = atoms.find(({ provisions }) => provisions.some((provision) => provision.name === name));
  const hint = late === undefined ? '' : ` ("${late.name}" provides it, but does not run before)`;
  return `flow "${flow}": "${atom.name}" requires "${name}"${isForRevert ? ' for its revert' : ''}, but the store has no such value, and no atom before it provides one${hint}`;
}

function compileLayout(name: string, layout: Layout): Compiled {
  const nodes = [...layout.placed.keys()].sort((a, b) => a - b);
  const indexOf = new Map(nodes.map((node, index) => [node, index]));
  const toIndexes = (list: readonly number[]): number[] => list.map((node) => indexOf.get(node) as number);
  const indexes = namesOf(name, layout, nodes);
  const atoms = nodes.map((node): CompiledAtom => {
    const placed = layout.placed.get(node) as Placed;
    const { graph } = layout;
    const { atom, retry } = placed;
    const before = graph.breadthFirstBack(node);
    const after = graph.depthFirst(node);
    const neighbors = (graph.successors[node] ?? []).filter((other) => graph.kinds[other] === 'task');
    const controller = layout.controllers.get(node);
    return {
      ...{ name: placed.name, flow: placed.flow, kind: atom === undefined ? 'retry' : 'task', atom, retry },
      sources: sourcesOf(layout, node, before).map((source) => ({
        ...source,
        providers: source.providers.map(({ atom: other, provision }) => ({
          atom: indexOf.get(other) as number,
          provision,
        })),
      })),
      provisions: provisionsOf((atom ?? retry)?.provides),
      controller: controller === undefined ? -1 : (indexOf.get(controller) as number),
      ...{ before: toIndexes(before), after: toIndexes(after), next: toIndexes(graph.breadthFirst(node)) },
      back: toIndexes(graph.breadthFirstBack(node, { retries: false })),
      gates: gatesOf(layout, node, indexOf),
      reach: {
        ALL: toIndexes([node, ...after]),
        FLOW: toIndexes([node, ...graph.depthFirst(node, { flows: false, retries: false })]),
        NEIGHBORS: toIndexes([node, ...neighbors]),
        ATOM: toIndexes([node]),
      },
    };
  });
  return { name, atoms, indexes, needs: needsOf(atoms) };
}

function namesOf(flow: string, { placed }: Layout, nodes: readonly number[]): Map<string, number> {
  const indexes = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    const { name, flow: where } = placed.get(node) as Placed;
    const other = indexes.get(name);
    if (other !== undefined) {
      const first = placed.get(nodes[other] as number)?.flow;
      throw new TaskpipeError(
        'USAGE',
        `flow "${flow}": two atoms are called "${name}" (one in "${first}", one in "${where}"); each needs a name of its own`,
      );
    }
    indexes.set(name, index);
  }
  return indexes;
}

/** Returns the inputs of the atom at a node. `providers` refers to nodes here, not to indexes of atoms. */
function sourcesOf({ placed, graph }: Layout, node: number, before: readonly number[]): Source[] {
  const { name, flow, atom, retry, branch } = placed.get(node) as Placed;
  const signature = atom ?? retry ?? {};
  const given = argumentsOf(signature, `"${name}" in flow "${flow}"`);
  if (given.length === 0) return [];
  const levels = levelsOf(branch, new Set(before));
  return given.map((argument) => {
    const found = levels.map((level) =>
      level.flatMap((other) => provided(placed.get(other), other, argument.name)),
    );
    const [first, second] = found.find((level) => level.length > 0) ?? [];
    if (
      first !== undefined &&
      second !== undefined &&
      !graph.breadthFirstBack(first.atom).includes(second.atom)
    ) {
      const both = [first, second].map((one) => placed.get(one.atom)?.name);
      throw ambiguous(flow, name, argument.name, both);
    }
    return { ...argument, providers: found.flat() };
  });
}

function provided(
  placed: Placed | undefined,
  atom: number,
  name: string,
): { atom: number; provision: Provision }[] {
  const all = provisionsOf((placed?.atom ?? placed?.retry)?.provides);
  return all.filter((provision) => provision.name === name).map((provision) => ({ atom, provision }));
}

/** Returns the deciders of the links that lead to a node, and of those to the flows that begin with it. */
function gatesOf({ graph, deciders }: Layout, node: number, indexOf: ReadonlyMap<number, number>): Gate[] {
  const gates: Gate[] = [];
  const open = (graph.predecessors[node] ?? []).map((from) => [from, node] as const);
  const seen = new Set<number>();
  for (const [from, to] of open) {
    const found = deciders.get(`${from},${to}`);
    if (found !== undefined) gates.push({ ...found, from: indexOf.get(from) ?? -1 });
    if (graph.kinds[from] !== 'flow' || seen.has(from)) continue;
    seen.add(from);
    for (const earlier of graph.predecessors[from] ?? []) open.push([earlier, from]);
  }
  return gates;
}

function needsOf(atoms: readonly CompiledAtom[]): Compiled['needs'] {
  return atoms.flatMap((atom) => {
    const { inject = {} } = atom.atom ?? atom.retry ?? {};
    return atom.sources
      .filter(
        ({ isOptional, providers, name }) =>
          !isOptional && providers.length === 0 && !Object.hasOwn(inject, name),
      )
      .map(({ name, isForRevert }) => ({ name, atom, isForRevert }));
  });
}
