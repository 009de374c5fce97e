import { TaskpipeError } from '../core/base/errors.ts';
import { type Atom, type AtomFunction, toAtom } from './atom.ts';
import { DEPTHS, type Decider, type Depth } from './decider.ts';
import type { Retry } from './retry.ts';

/** How the parts of a flow are ordered. */
export type Pattern = 'linear' | 'unordered' | 'graph';

/** What can be added to a flow. */
export type Part = Atom | AtomFunction | Flow;

/** A link of a graph: the second waits for the first. */
export interface Link {
  readonly from: Atom | Flow;
  readonly to: Atom | Flow;
  readonly decider?: Decider;
  readonly depth?: Depth;
}

export interface FlowOptions {
  /** Decides what becomes of the flow when an atom in it fails. Default: all is reverted. */
  readonly retry?: Retry | undefined;
}

export interface LinkOptions {
  /** Says whether the second is to run. Default: it is. */
  readonly decider?: Decider;
  /** What else is left out where the decider says no. Default `ALL`, whatever follows. */
  readonly depth?: Depth;
}

/** Marks a flow, also one that another copy of this package made: the file of a flow may come with its own. */
const BRAND = 'taskpipe.flow' as const;

/** Atoms and flows that belong together. It says what is to be done; an engine does it. */
export class Flow {
  readonly kind: typeof BRAND = BRAND;
  readonly name: string;
  readonly pattern: Pattern;
  readonly retry: Retry | undefined;
  /** Its parts, in the order in which they were added. */
  readonly parts: (Atom | Flow)[] = [];
  /** The links that were made by hand. */
  readonly links: Link[] = [];
  /** What was added, by what it was added as. */
  readonly #added = new Map<unknown, Atom | Flow>();

  /** @throws {TaskpipeError} `USAGE`, where the name is empty or the retry controller has no `onFailure` */
  constructor(pattern: Pattern, name: string, { retry }: FlowOptions = {}) {
    if (typeof name !== 'string' || name === '')
      throw new TaskpipeError('USAGE', `a flow must have a name; got ${JSON.stringify(name)}`);
    if (retry !== undefined && typeof retry?.onFailure !== 'function') {
      throw new TaskpipeError(
        'USAGE',
        `flow "${name}": retry must be a controller such as times(3), or an object with onFailure`,
      );
    }
    this.pattern = pattern;
    this.name = name;
    this.retry = retry;
  }

  /**
   * Adds atoms and flows. Skips those that it already has.
   * @throws {TaskpipeError} `USAGE`, for what is neither, and where the flow was run already
   */
  add(...parts: readonly Part[]): this {
    this.#mustBeOpen();
    for (const part of parts) {
      if (this.#added.has(part)) continue;
      const added = isFlow(part) ? part : toAtom(part, this.name);
      this.#added.set(part, added);
      this.#added.set(added, added);
      this.parts.push(added);
    }
    return this;
  }

  /**
   * Lets one part of a graph wait for another one.
   * @param from what comes first: what was given to `add()`, or its name
   * @throws {TaskpipeError} `USAGE` if the flow is not a graph, has no such part, the depth has no decider,
   *   or the flow was run already
   */
  link(from: Part | string, to: Part | string, { decider, depth }: LinkOptions = {}): this {
    this.#mustBeOpen();
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

  /** An engine freezes what it runs: what came later would not be seen. */
  #mustBeOpen(): void {
    if (Object.isFrozen(this.parts))
      throw new TaskpipeError('USAGE', `flow "${this.name}" is in use already; build it before it is run`);
  }

  #partOf(given: Part | string): Atom | Flow {
    const found =
      typeof given === 'string' ? this.parts.find(({ name }) => name === given) : this.#added.get(given);
    if (found !== undefined) return found;
    const name = typeof given === 'string' ? given : given?.name;
    throw new TaskpipeError('USAGE', `flow "${this.name}" has no part "${name}" to link; add() it first`);
  }
}

/** Whether a value is a flow. */
export function isFlow(value: unknown): value is Flow {
  return typeof value === 'object' && value !== null && (value as Flow).kind === BRAND;
}

/** A flow whose parts run one after the other. */
export function linear(name: string, options: FlowOptions = {}): Flow {
  return new Flow('linear', name, options);
}

/** A flow whose parts have no order. */
export function unordered(name: string, options: FlowOptions = {}): Flow {
  return new Flow('unordered', name, options);
}

/** A flow whose parts wait for those that provide what they require, and for those that are linked to them. */
export function graph(name: string, options: FlowOptions = {}): Flow {
  return new Flow('graph', name, options);
}
