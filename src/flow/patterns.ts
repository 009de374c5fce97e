import { TaskpipeError } from '../core/base/errors.ts';
import { checkOptions } from '../core/options/library-options.ts';
import { type Atom, type AtomFunction, toAtom } from './atom.ts';
import { DEPTHS, type Decider, type Depth } from './decider.ts';
import { checkRetry, type Retry } from './retry.ts';

/** Order of the parts of a flow. */
export type Pattern = 'linear' | 'unordered' | 'graph';

/** Value that `add()` of a flow accepts. */
export type Part = Atom | AtomFunction | Flow;

/** Link of a graph: `to` waits for `from`. */
export interface Link {
  readonly from: Atom | Flow;
  readonly to: Atom | Flow;
  readonly decider?: Decider;
  readonly depth?: Depth;
}

export interface FlowOptions {
  /**
   * Controller that decides what to do if an atom of the flow fails. Default: that of the flow around it;
   * without any controller, everything is reverted.
   */
  readonly retry?: Retry | undefined;
}

export interface LinkOptions {
  /** Function that decides whether the second part runs. Default: it runs. */
  readonly decider?: Decider;
  /** Parts to ignore if the decider says no. Default `ALL`: the part and everything after it. */
  readonly depth?: Depth;
}

/** Mark of a flow. It is the same in every copy of this package, because a flow file may import its own copy. */
const BRAND = 'taskpipe.flow' as const;

/** Atoms and flows that belong together. A flow only describes the work; an engine does it. */
export class Flow {
  readonly kind: typeof BRAND = BRAND;
  readonly name: string;
  readonly pattern: Pattern;
  readonly retry: Retry | undefined;
  /** Parts, in the order in which they were added. */
  readonly parts: (Atom | Flow)[] = [];
  /** Links made by `link()`; those implied by inputs are not included. */
  readonly links: Link[] = [];
  /** Parts, by the value that was passed to `add()` and by themselves. */
  readonly #added = new Map<unknown, Atom | Flow>();
  /** First part of each name. */
  readonly #named = new Map<string, Atom | Flow>();

  /** @throws {TaskpipeError} `USAGE` if the name is empty or the retry controller has no `onFailure` */
  constructor(pattern: Pattern, name: string, options: FlowOptions = {}) {
    const { retry } = options;
    if (typeof name !== 'string' || name === '')
      throw new TaskpipeError('USAGE', `a flow must have a name; got ${JSON.stringify(name)}`);
    checkOptions(`flow "${name}"`, options, {}, { retry: true });
    if (retry !== undefined) checkRetry(name, retry);
    this.pattern = pattern;
    this.name = name;
    this.retry = retry;
  }

  /**
   * Adds atoms and flows. Skips those that it already has.
   * @throws {TaskpipeError} `USAGE` if a value is neither, or if an engine already uses the flow
   */
  add(...parts: readonly Part[]): this {
    this.#mustBeOpen();
    for (const part of parts) {
      if (this.#added.has(part)) continue;
      const added = isFlow(part) ? part : toAtom(part, this.name);
      this.#added.set(part, added);
      this.#added.set(added, added);
      if (!this.#named.has(added.name)) this.#named.set(added.name, added);
      this.parts.push(added);
    }
    return this;
  }

  /**
   * Makes one part of a graph wait for another.
   * @param from part that runs first: the value that was passed to `add()`, or its name
   * @throws {TaskpipeError} `USAGE` if the flow is not a graph or has no such part, the depth is invalid or
   *   has no decider, or an engine already uses the flow
   */
  link(from: Part | string, to: Part | string, options: LinkOptions = {}): this {
    this.#mustBeOpen();
    checkOptions(`flow "${this.name}": link()`, options, {}, { decider: true, depth: true });
    const { decider, depth } = options;
    if (decider !== undefined && typeof decider !== 'function')
      throw new TaskpipeError(
        'USAGE',
        `flow "${this.name}": decider must be a function; got ${typeof decider}`,
      );
    if (this.pattern !== 'graph')
      throw new TaskpipeError(
        'USAGE',
        `flow "${this.name}": only a graph has links, and this is ${this.pattern}`,
      );
    if (depth !== undefined && (decider === undefined || !DEPTHS.includes(depth))) {
      const rule = decider === undefined ? 'needs a decider' : `must be one of ${DEPTHS.join(', ')}`;
      throw new TaskpipeError('USAGE', `flow "${this.name}": depth ${rule}; got ${JSON.stringify(depth)}`);
    }
    this.links.push({
      ...{ from: this.#partOf(from), to: this.#partOf(to) },
      ...(decider === undefined ? {} : { decider }),
      ...(depth === undefined ? {} : { depth }),
    });
    return this;
  }

  /** Throws `USAGE` if an engine has frozen the flow: it would not see later additions. */
  #mustBeOpen(): void {
    if (Object.isFrozen(this.parts))
      throw new TaskpipeError('USAGE', `flow "${this.name}" is in use already; build it before it is run`);
  }

  #partOf(given: Part | string): Atom | Flow {
    const found = typeof given === 'string' ? this.#named.get(given) : this.#added.get(given);
    if (found !== undefined) return found;
    const name = typeof given === 'string' ? given : given?.name;
    throw new TaskpipeError('USAGE', `flow "${this.name}" has no part "${name}" to link; add() it first`);
  }
}

/** Returns true if a value is a flow, also one made by another copy of this package. */
export function isFlow(value: unknown): value is Flow {
  return typeof value === 'object' && value !== null && (value as Flow).kind === BRAND;
}

/** Makes a flow whose parts run one after another. */
export function linear(name: string, options: FlowOptions = {}): Flow {
  return new Flow('linear', name, options);
}

/** Makes a flow whose parts have no order. */
export function unordered(name: string, options: FlowOptions = {}): Flow {
  return new Flow('unordered', name, options);
}

/** Makes a flow whose parts wait for providers of their required inputs, and for linked parts. */
export function graph(name: string, options: FlowOptions = {}): Flow {
  return new Flow('graph', name, options);
}
