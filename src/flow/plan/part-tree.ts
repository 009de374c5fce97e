import { TaskpipeError } from '../../core/base/errors.ts';
import type { Provides } from '../atom.ts';
import { type Flow, isFlow } from '../patterns.ts';
import { provisionsOf } from './provision.ts';

/**
 * Flow in the tree of nested flows. Flows and atoms have numbers in the order in which they were added: a flow
 * comes before everything in it.
 */
export interface NumberedFlow {
  readonly flow: Flow;
  /** Number of the flow; its retry controller has the same. */
  readonly start: number;
  readonly parts: readonly number[];
  /** Number after the last flow or atom in it. */
  readonly end: number;
  /** True if it is part of a graph, whose order depends on the inputs of the parts of this flow. */
  readonly isInGraph: boolean;
}

type Open = NumberedFlow & { parts: number[]; end: number };

/**
 * Tree of nested flows, with an index of the names that they provide. It is built without recursion: flows may nest
 * deep.
 */
export class PartTree {
  /** All flows, each before those in it. */
  readonly flows: NumberedFlow[] = [];
  /** Numbers of the providers of each name, ascending. */
  readonly #providers = new Map<string, number[]>();
  readonly #seen = new Set<Flow>();
  #count = 0;

  /**
   * Freezes all flows: later additions would be lost.
   * @throws {TaskpipeError} `USAGE` if a flow occurs twice, also within itself
   */
  constructor(root: Flow) {
    const open = [this.#enter(root, false)];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const part = top.flow.parts[top.parts.length];
      if (part === undefined) {
        top.end = this.#count;
        open.pop();
        continue;
      }
      top.parts.push(this.#count);
      if (isFlow(part)) open.push(this.#enter(part, top.isInGraph || top.flow.pattern === 'graph'));
      else this.#number(part.provides);
    }
  }

  #enter(flow: Flow, isInGraph: boolean): Open {
    if (this.#seen.has(flow))
      throw new TaskpipeError('USAGE', `flow "${flow.name}" is there twice; add each flow in one place`);
    this.#seen.add(flow);
    Object.freeze(flow.parts);
    Object.freeze(flow.links);
    const entered: Open = { flow, start: this.#count, parts: [], end: this.#count, isInGraph };
    this.#number(flow.retry?.provides);
    this.flows.push(entered);
    return entered;
  }

  #number(provides: Provides | undefined): void {
    const number = this.#count++;
    for (const { name } of provisionsOf(provides)) {
      const known = this.#providers.get(name);
      if (known === undefined) this.#providers.set(name, [number]);
      else known.push(number);
    }
  }

  /** Returns true if an atom or flow with a number from `start` to before `end` provides a name. */
  provides(name: string, start: number, end: number): boolean {
    const all = this.#providers.get(name);
    if (all === undefined) return false;
    const found = all[firstFrom(all, start)];
    return found !== undefined && found < end;
  }

  /** Returns the positions of the parts of a flow that provide a name, ascending. */
  providingParts(name: string, { parts, start, end }: NumberedFlow): number[] {
    const all = this.#providers.get(name) ?? [];
    const found: number[] = [];
    for (let at = firstFrom(all, start + 1); at < all.length && (all[at] as number) < end; at++) {
      const part = firstFrom(parts, (all[at] as number) + 1) - 1;
      if (found.at(-1) !== part) found.push(part);
    }
    return found;
  }
}

/**
 * Returns the position of the first number that is at least `least` in an ascending list; the length of the list if
 * there is none.
 */
export function firstFrom(list: readonly number[], least: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
