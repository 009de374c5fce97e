import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom, Inputs } from '../atom.ts';
import type { Gate } from '../decider.ts';
import type { Flow } from '../patterns.ts';
import type { Retry } from '../retry.ts';
import type { AtomKind } from '../run/states.ts';
import { AtomGraph } from './atom-graph.ts';
import { type Layout, layOut, type Placed } from './layout.ts';
import { ambiguous } from './links.ts';
import { type Argument, argumentsOf, type Provision, provisionsOf } from './provision.ts';
import { type Providers, Scope } from './scope.ts';
import { Waits } from './waits.ts';

/** Input of an atom, with the atoms that provide it. */
export interface Source extends Argument {
  readonly providers: Providers;
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
  /** Retry controller to ask when it fails; -1 if it has none. */
  readonly controller: number;
  /** Deciders that it has to pass. */
  readonly gates: readonly Gate[];
}

/** Value that the store must have. */
export interface Need {
  readonly name: string;
  /** Atom that requires it. */
  readonly atom: CompiledAtom;
  /** True if only the `revert` of the atom requires it. */
  readonly isForRevert: boolean;
}

/** Flow that is ready to run. It holds no state of a run, so any number of runs can share it. */
export interface Compiled {
  readonly name: string;
  readonly atoms: readonly CompiledAtom[];
  /** Order of the atoms. */
  readonly graph: AtomGraph;
  /** Counts of `Waits` at the start of a run. */
  readonly waits: readonly number[];
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
  const graph = new AtomGraph(layout.graph, nodes);
  const indexes = namesOf(name, layout, nodes);
  const scope = new Scope(layout);
  const gates = gatesOf(layout, graph);
  const atoms = nodes.map((node): CompiledAtom => {
    const placed = layout.placed.get(node) as Placed;
    const { atom, retry } = placed;
    const controller = layout.controllers.get(node);
    return {
      ...{ name: placed.name, flow: placed.flow, kind: atom === undefined ? 'retry' : 'task', atom, retry },
      sources: sourcesOf(placed, scope),
      provisions: provisionsOf((atom ?? retry)?.provides),
      controller: controller === undefined ? -1 : (graph.atoms[controller] as number),
      gates: gates.get(node) ?? [],
    };
  });
  const waits = new Waits(layout.graph.successors);
  for (const node of nodes) waits.set(node, false);
  return { name, atoms, graph, waits: waits.counts(), indexes, needs: needsOf(atoms) };
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
        `flow "${flow}": two atoms are called "${name}" (one in "${first}", one in "${where}"); each needs its own name`,
      );
    }
    indexes.set(name, index);
  }
  return indexes;
}

/**
 * Returns the inputs of an atom.
 * @throws {TaskpipeError} `USAGE` if it is ambiguous which of two atoms provides one
 */
function sourcesOf({ name, flow, atom, retry, branch }: Placed, scope: Scope): Source[] {
  const given = argumentsOf(atom ?? retry ?? {}, `"${name}" in flow "${flow}"`);
  return given.map((argument) => {
    const providers = scope.providers(branch, argument.name);
    const [one, other] = [providers.at(0), providers.at(1)];
    const isSameLevel = one !== undefined && one.level === other?.level;
    if (isSameLevel && !scope.isBefore(other.placed.branch, one.placed.branch))
      throw ambiguous(flow, name, argument.name, [one.placed.name, other.placed.name]);
    return { ...argument, providers };
  });
}

/**
 * Returns the deciders that atoms have to pass, by node: those of the links that lead to it, and those of the
 * links to the flows that begin with it.
 */
function gatesOf({ graph, deciders }: Layout, { atoms }: AtomGraph): ReadonlyMap<number, readonly Gate[]> {
  const gates = new Map<number, readonly Gate[]>();
  if (deciders.size === 0) return gates;
  // A flow has a smaller number than its parts, but its retry controller has a greater one.
  for (const [node, predecessors] of graph.predecessors.entries()) {
    const found: Gate[] = [];
    for (const from of predecessors) {
      const decider = deciders.get(`${from},${node}`);
      if (decider !== undefined) found.push({ ...decider, from: atoms[from] as number });
    }
    const [first] = predecessors.filter((from) => graph.kinds[from] === 'flow');
    const around = first === undefined ? undefined : gates.get(first);
    const all = around === undefined ? found : found.length === 0 ? around : [...found, ...around];
    if (all.length > 0) gates.set(node, all);
  }
  return gates;
}

/** Returns the first atom that needs each value of the store. */
function needsOf(atoms: readonly CompiledAtom[]): Compiled['needs'] {
  const needs = new Map<string, Need>();
  for (const atom of atoms) {
    const { inject = {} } = atom.atom ?? atom.retry ?? {};
    for (const { isOptional, providers, name, isForRevert } of atom.sources) {
      if (isOptional || providers.at(0) !== undefined || Object.hasOwn(inject, name)) continue;
      const known = needs.get(name);
      if (known === undefined || (known.isForRevert && !isForRevert))
        needs.set(name, { name, atom, isForRevert });
    }
  }
  return [...needs.values()];
}
