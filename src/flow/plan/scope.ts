import { Ancestry } from './ancestry.ts';
import type { Branch, Layout, Placed } from './layout.ts';
import { firstFrom } from './part-tree.ts';
import { type Provision, provisionsOf } from './provision.ts';

/** Atom that provides a value to another one, and the part of its result. */
export interface Provider {
  readonly placed: Placed;
  readonly provision: Provision;
  /** Flow around both atoms. */
  readonly level: Branch;
}

/** Providers that an atom sees, in the order in which they are searched. They are found on demand. */
export class Providers {
  readonly #found: Provider[] = [];
  #rest: Iterator<Provider, undefined> | undefined;

  constructor(all: Iterator<Provider, undefined>) {
    this.#rest = all;
  }

  /** Returns the provider at a position; undefined if there are fewer. */
  at(position: number): Provider | undefined {
    while (position >= this.#found.length && this.#rest !== undefined) {
      const { value } = this.#rest.next();
      if (value === undefined) this.#rest = undefined;
      else this.#found.push(value);
    }
    return this.#found[position];
  }
}

/** Providers of one name, and their places, ascending. */
interface Named {
  readonly places: number[];
  readonly providers: { readonly placed: Placed; readonly provisions: readonly Provision[] }[];
}

/**
 * Atoms with values that another atom can see: earlier parts of its own flow, then of the flow around it, and so on,
 * the nearest first. Modelled on `ScopeWalker` of TaskFlow. Only providers of the wanted name are checked, so that
 * the cost does not grow with the number of preceding atoms.
 */
export class Scope {
  readonly #names = new Map<string, Named>();
  readonly #ancestries = new Map<Branch, Ancestry>();

  constructor({ placed }: Layout) {
    const all = [...placed.values()].sort((a, b) => a.branch.place - b.branch.place);
    for (const one of all) {
      const byName = new Map<string, Provision[]>();
      for (const provision of provisionsOf((one.atom ?? one.retry)?.provides)) {
        const same = byName.get(provision.name);
        if (same === undefined) byName.set(provision.name, [provision]);
        else same.push(provision);
      }
      for (const [name, provisions] of byName) this.#add(name, one, provisions);
    }
  }

  #add(name: string, placed: Placed, provisions: readonly Provision[]): void {
    let named = this.#names.get(name);
    if (named === undefined) {
      named = { places: [], providers: [] };
      this.#names.set(name, named);
    }
    named.places.push(placed.branch.place);
    named.providers.push({ placed, provisions });
  }

  /** Returns the providers of a name that an atom can see, the nearest first. */
  providers(atom: Branch, name: string): Providers {
    return new Providers(this.#visible(atom, name));
  }

  *#visible(atom: Branch, name: string): Generator<Provider, undefined> {
    const named = this.#names.get(name);
    if (named === undefined) return undefined;
    const { places, providers } = named;
    let [part, level] = [atom, atom.parent];
    for (let at = firstFrom(places, atom.place) - 1; at >= 0 && level !== undefined; ) {
      const place = places[at] as number;
      if (place < level.place) {
        part = level;
        level = part.parent;
      } else if (level.pattern === 'unordered' && place > level.place + 1) {
        at = firstFrom(places, level.place + 2) - 1; // its parts have no order; only its controller comes before them
      } else {
        const { placed, provisions } = providers[at] as Named['providers'][number];
        at--;
        if (!this.#isBeforeIn(level, placed.branch, part)) continue;
        for (const provision of provisions) yield { placed, provision, level };
      }
    }
    return undefined;
  }

  /** Returns true if an atom has always ended when another one starts. */
  isBefore(a: Branch, b: Branch): boolean {
    let [one, other] = [a, b];
    while (one.parent !== other.parent) {
      if (one.depth > other.depth) one = one.parent as Branch;
      else if (other.depth > one.depth) other = other.parent as Branch;
      else [one, other] = [one.parent as Branch, other.parent as Branch];
    }
    return one !== other && one.parent !== undefined && this.#isBeforeIn(one.parent, one, other);
  }

  /**
   * Returns true if an atom in a flow is before a part of the flow.
   * @param inner the atom, or anything around it below the flow
   */
  #isBeforeIn(flow: Branch, inner: Branch, part: Branch): boolean {
    if (inner.place >= part.place) return false;
    if (inner.position < 0 && inner.parent === flow) return true; // the controller is before all parts
    if (flow.pattern !== 'graph') return flow.pattern === 'linear';
    let earlier = inner;
    while (earlier.parent !== flow) earlier = earlier.parent as Branch;
    return this.#ancestryOf(flow).isBefore(earlier.position, part.position);
  }

  #ancestryOf(graph: Branch): Ancestry {
    let found = this.#ancestries.get(graph);
    if (found === undefined) {
      const { parts = [], links = [] } = graph.order ?? {};
      found = new Ancestry(parts.length, links);
      this.#ancestries.set(graph, found);
    }
    return found;
  }
}
