import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom } from '../atom.ts';
import { type Flow, isFlow, type Link } from '../patterns.ts';
import { topological } from './digraph.ts';
import { argumentsOf, provisionsOf } from './provision.ts';

/** Parts of a flow in an order in which they may run, and links between them as positions in `parts`. */
export interface Ordered {
  readonly parts: readonly (Atom | Flow)[];
  readonly links: readonly (readonly [from: number, to: number, link?: Link | undefined])[];
}

/**
 * Returns the order of a flow's parts by its pattern.
 * @throws {TaskpipeError} `USAGE` if a graph has a cycle, or if it is ambiguous which part provides an input
 */
export function orderOf(flow: Flow): Ordered {
  const { pattern, parts } = flow;
  if (pattern === 'unordered') return { parts, links: [] };
  if (pattern === 'linear')
    return { parts, links: parts.slice(1).map((_, place) => [place, place + 1] as const) };
  return orderOfGraph(flow);
}

function orderOfGraph(flow: Flow): Ordered {
  const { parts } = flow;
  const manual = flow.links.map((link) => [parts.indexOf(link.from), parts.indexOf(link.to), link] as const);
  const links = [...manual, ...impliedLinks(flow, manual)];
  const edges = links.map(([from, to]) => [from, to] as const);
  const order = topological(parts.length, edges);
  if (order === undefined) {
    const circle = circleOf(parts.length, edges).map((place) => `"${parts[place]?.name}"`);
    throw new TaskpipeError(
      'USAGE',
      `flow "${flow.name}": its parts wait for one another in a circle: ${circle.join(' -> ')}`,
    );
  }
  const places = new Map(order.map((part, place) => [part, place]));
  return {
    parts: order.map((part) => parts[part] as Atom | Flow),
    links: links
      .sort(([a], [b]) => a - b)
      .map(([from, to, link]) => [places.get(from) as number, places.get(to) as number, link] as const),
  };
}

/**
 * Returns links from the part that provides a value to the parts that require it. It adds none if
 * `link()` already puts a provider of the value before the part.
 */
function impliedLinks(flow: Flow, manual: readonly (readonly [number, number, Link])[]): [number, number][] {
  const own = new Set(provisionsOf(flow.retry?.provides).map(({ name }) => name));
  const provided = flow.parts.map(providedBy);
  const links: [number, number][] = [];
  for (const [to, part] of flow.parts.entries()) {
    const before = beforeBy(to, manual);
    for (const name of requiredBy(part)) {
      if (own.has(name) || [...before].some((place) => provided[place]?.has(name))) continue;
      const providers = [...flow.parts.keys()].filter((place) => place !== to && provided[place]?.has(name));
      if (providers.length > 1)
        throw ambiguous(
          flow.name,
          part.name,
          name,
          providers.map((place) => flow.parts[place]?.name),
        );
      const [from] = providers;
      if (from !== undefined) links.push([from, to]);
    }
  }
  return links;
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

function beforeBy(start: number, links: readonly (readonly [number, number, Link])[]): Set<number> {
  const found = new Set<number>();
  const open = [start];
  for (const place of open) {
    for (const [from, to] of links) {
      if (to !== place || found.has(from)) continue;
      found.add(from);
      open.push(from);
    }
  }
  return found;
}

/** Returns the names of the values that a part provides. */
function providedBy(part: Atom | Flow): ReadonlySet<string> {
  if (!isFlow(part)) return new Set(provisionsOf(part.provides).map(({ name }) => name));
  const own = provisionsOf(part.retry?.provides).map(({ name }) => name);
  return new Set([...own, ...part.parts.flatMap((inner) => [...providedBy(inner)])]);
}

/** Returns the names of the values that a part requires from outside. */
function requiredBy(part: Atom | Flow): Set<string> {
  if (!isFlow(part)) return needsOf(part, part.name);
  const known = new Set(provisionsOf(part.retry?.provides).map(({ name }) => name));
  const needed = part.retry === undefined ? new Set<string>() : needsOf(part.retry, part.name);
  if (part.pattern === 'graph')
    for (const inner of part.parts) for (const name of providedBy(inner)) known.add(name);
  for (const inner of part.parts) {
    for (const name of requiredBy(inner)) if (!known.has(name)) needed.add(name);
    if (part.pattern === 'linear') for (const name of providedBy(inner)) known.add(name);
  }
  return needed;
}

function needsOf(signature: Parameters<typeof argumentsOf>[0], where: string): Set<string> {
  const needed = argumentsOf(signature, where).filter(({ isOptional }) => !isOptional);
  const { inject = {} } = signature;
  return new Set(needed.map(({ name }) => name).filter((name) => !Object.hasOwn(inject, name)));
}

/** Returns a cycle of parts that wait for one another. Its first part is also its last. */
function circleOf(count: number, edges: readonly (readonly [number, number])[]): number[] {
  // Remove parts without a predecessor or without a successor, until every part left has both.
  let left = new Set(Array.from({ length: count }, (_, place) => place));
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    const inner = edges.filter(([from, to]) => left.has(from) && left.has(to));
    left = new Set(
      [...left].filter(
        (place) => inner.some(([from]) => from === place) && inner.some(([, to]) => to === place),
      ),
    );
  }
  const path: number[] = [];
  for (let place = [...left][0] as number; ; ) {
    const met = path.indexOf(place);
    path.push(place);
    if (met >= 0) return path.slice(met);
    place = (edges.find(([from, to]) => from === place && left.has(to)) as readonly [number, number])[1];
  }
}
