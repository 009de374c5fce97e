import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom } from '../atom.ts';
import { type Flow, isFlow, type Link } from '../patterns.ts';
import { Ancestry } from './ancestry.ts';
import { circleOf, topological } from './digraph.ts';
import { firstFrom, type NumberedFlow, type PartTree } from './part-tree.ts';
import { argumentsOf } from './provision.ts';

/** Parts of a flow in an order in which they may run, and links between them as positions in `parts`. */
export interface Ordered {
  readonly parts: readonly (Atom | Flow)[];
  readonly links: readonly (readonly [from: number, to: number, link?: Link | undefined])[];
}

/** Link made by `link()`, as positions of parts. */
type Manual = readonly [from: number, to: number, link: Link];

/** Names of the values that each part of a flow requires from outside the part. */
type Needs = readonly ReadonlySet<string>[];

/**
 * Returns the order of the parts of every flow by its pattern.
 * @throws {TaskpipeError} `USAGE` if a graph has a cycle, or if it is ambiguous which part provides an input
 */
export function ordersOf(tree: PartTree): ReadonlyMap<Flow, Ordered> {
  const orders = new Map<Flow, Ordered>();
  const needed = new Map<Flow, ReadonlySet<string>>();
  for (let at = tree.flows.length - 1; at >= 0; at--) {
    const numbered = tree.flows[at] as NumberedFlow; // inner flows come first
    const { flow, isInGraph } = numbered;
    const needs =
      isInGraph || flow.pattern === 'graph'
        ? flow.parts.map((part) =>
            isFlow(part) ? (needed.get(part) as ReadonlySet<string>) : needsOf(part, part.name),
          )
        : [];
    orders.set(flow, orderOf(tree, numbered, needs));
    if (isInGraph) needed.set(flow, requiredBy(tree, numbered, needs));
  }
  return orders;
}

function orderOf(tree: PartTree, numbered: NumberedFlow, needs: Needs): Ordered {
  const { pattern, parts } = numbered.flow;
  if (pattern === 'unordered') return { parts, links: [] };
  if (pattern === 'linear')
    return { parts, links: parts.slice(1).map((_, place) => [place, place + 1] as const) };
  return orderOfGraph(tree, numbered, needs);
}

function orderOfGraph(tree: PartTree, numbered: NumberedFlow, needs: Needs): Ordered {
  const { flow } = numbered;
  const { parts } = flow;
  const positions = new Map(parts.map((part, position) => [part, position]));
  const manual = flow.links.map(
    (link): Manual => [positions.get(link.from) as number, positions.get(link.to) as number, link],
  );
  const links = [...manual, ...impliedLinks(tree, numbered, { needs, manual })];
  const order = orderedOr(flow, links);
  const places = placesOf(order);
  return {
    parts: order.map((part) => parts[part] as Atom | Flow),
    links: links
      .sort(([a], [b]) => a - b)
      .map(([from, to, link]) => [places[from] as number, places[to] as number, link] as const),
  };
}

/** Sorts the parts of a graph by links. @throws {TaskpipeError} `USAGE` if they have a cycle */
function orderedOr({ name, parts }: Flow, links: readonly (readonly [number, number, Link?])[]): number[] {
  const order = topological(parts.length, links);
  if (order !== undefined) return order;
  const circle = circleOf(parts.length, links).map((place) => `"${parts[place]?.name}"`);
  throw new TaskpipeError(
    'USAGE',
    `flow "${name}": its parts wait for one another in a circle: ${circle.join(' -> ')}`,
  );
}

function placesOf(order: readonly number[]): Uint32Array {
  const places = new Uint32Array(order.length);
  for (const [place, part] of order.entries()) places[part] = place;
  return places;
}

/**
 * Returns links from the part that provides a value to the parts that require it. It adds none if
 * `link()` already puts a provider of the value before the part.
 */
function impliedLinks(
  tree: PartTree,
  numbered: NumberedFlow,
  { needs, manual }: { readonly needs: Needs; readonly manual: readonly Manual[] },
): [number, number][] {
  const { flow, start } = numbered;
  const isLinked = manual.length === 0 ? () => false : linkedBefore(flow, manual);
  const known = new Map<string, readonly number[]>();
  const links: [number, number][] = [];
  for (const [to, names] of needs.entries()) {
    for (const name of names) {
      if (tree.provides(name, start, start + 1)) continue; // the controller of the flow provides it
      let providers = known.get(name);
      if (providers === undefined) {
        providers = tree.providingParts(name, numbered);
        known.set(name, providers);
      }
      if (isLinked(name, providers, to)) continue;
      const others = providers.length > 2 ? providers : providers.filter((part) => part !== to);
      if (others.length > 1) throw ambiguousPart(flow, to, name, others);
      for (const from of others) links.push([from, to]);
    }
  }
  return links;
}

/**
 * Returns a function that returns true if links made by `link()` put one of the providers of a name before a part.
 */
function linkedBefore(
  flow: Flow,
  manual: readonly Manual[],
): (name: string, providers: readonly number[], to: number) => boolean {
  const places = placesOf(orderedOr(flow, manual));
  const ancestry = new Ancestry(flow.parts.length, manual, places);
  const placeOf = (part: number): number => places[part] as number;
  const sorted = new Map<string, { readonly parts: readonly number[]; readonly places: readonly number[] }>();
  return (name, providers, to) => {
    let all = sorted.get(name);
    if (all === undefined) {
      const parts = [...providers].sort((a, b) => placeOf(a) - placeOf(b));
      all = { parts, places: parts.map(placeOf) };
      sorted.set(name, all);
    }
    // The nearest first, so that the search ends early in a long chain.
    for (let at = firstFrom(all.places, placeOf(to)) - 1; at >= 0; at--)
      if (ancestry.isBefore(all.parts[at] as number, to)) return true;
    return false;
  };
}

function ambiguousPart(flow: Flow, to: number, name: string, providers: readonly number[]): TaskpipeError {
  const others = providers.filter((part) => part !== to).sort((a, b) => a - b);
  const names = others.map((part) => flow.parts[part]?.name);
  return ambiguous(flow.name, flow.parts[to]?.name ?? '', name, names);
}

/** Returns the error for an input that two parts provide. */
export function ambiguous(
  flow: string,
  atom: string,
  input: string,
  names: readonly (string | undefined)[],
): TaskpipeError {
  const both = names
    .slice(0, 2)
    .map((name) => `"${name}"`)
    .join(' and ');
  return new TaskpipeError(
    'USAGE',
    `flow "${flow}": "${atom}" requires "${input}", and both ${both} provide it; link one of them, or give one another name`,
  );
}

/** Returns the names of the values that a flow requires from outside. */
function requiredBy(tree: PartTree, { flow, start, parts, end }: NumberedFlow, needs: Needs): Set<string> {
  const required = flow.retry === undefined ? new Set<string>() : needsOf(flow.retry, flow.name);
  for (const [position, names] of needs.entries()) {
    const own = { graph: end, linear: parts[position] as number, unordered: start + 1 }[flow.pattern];
    for (const name of names) if (!tree.provides(name, start, own)) required.add(name);
  }
  return required;
}

function needsOf(signature: Parameters<typeof argumentsOf>[0], where: string): Set<string> {
  const needed = argumentsOf(signature, where).filter(({ isOptional }) => !isOptional);
  const { inject = {} } = signature;
  return new Set(needed.map(({ name }) => name).filter((name) => !Object.hasOwn(inject, name)));
}
