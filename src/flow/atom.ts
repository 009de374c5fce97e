import { TaskpipeError } from '../core/base/errors.ts';
import type { Failure } from '../core/record/task.ts';

/** Values by name: what an atom gets, and what a flow starts with. */
export type Inputs = Readonly<Record<string, unknown>>;

/**
 * The names that an atom's result stands under. One name: for the whole result. An array: a result that is an array
 * gives one element to each, as a tuple does in TaskFlow; one that is an object gives the members of these names. A
 * set: the members of these names. An object: which member or element each name stands for.
 */
export type Provides =
  | string
  | readonly string[]
  | ReadonlySet<string>
  | Readonly<Record<string, string | number>>;

/** What an atom, and a retry controller, says of what goes into it and what comes out. */
export interface Signature {
  /** What it needs: nothing runs where that is missing. */
  readonly requires?: string | readonly string[];
  /** What it takes where it is there. */
  readonly optional?: string | readonly string[];
  readonly provides?: Provides;
  /** Where an input has another name outside: `{ argument: name }`. */
  readonly rebind?: Readonly<Record<string, string>>;
  /** Values that are always the same. They beat all others. */
  readonly inject?: Inputs;
}

/** What an atom is told beside its inputs. */
export interface AtomContext {
  /** The name of the flow that is run. */
  readonly flow: string;
  /** The name of the atom. */
  readonly atom: string;
  /** What the flow started with: the attributes of a record. */
  readonly store: Inputs;
  /** Aborted where the work is to be given up: the time is over, or the process leaves. */
  readonly signal: AbortSignal;
  /** Whether this very call was begun before, by a process that was killed: what it did then may be done already. */
  readonly isRepeated: boolean;
}

/** Why an atom is reverted. */
export interface Undoing {
  /** What its `execute` gave; undefined where that failed. */
  readonly result: unknown;
  /** Why its own `execute` failed; undefined where it did not. */
  readonly failure: Failure | undefined;
  /** All that failed, by the names of the atoms. */
  readonly failures: Readonly<Record<string, Failure>>;
}

/** One step of a flow: an object, or an instance of a class with these members. */
export interface Atom extends Signature {
  /** Unique in the flow and all that is nested in it. */
  readonly name: string;
  /** Does the work. What it throws fails it, with the error's `code` where it has one, else `ERROR`. */
  execute(inputs: Inputs, context: AtomContext): unknown;
  /** Undoes it. Also called where `execute` failed: it may have failed half-way. */
  revert?(inputs: Inputs, undoing: Undoing, context: AtomContext): unknown;
}

/** A function as an atom: it has a name of its own, and may have the other members of an atom as properties. */
export type AtomFunction = ((inputs: Inputs, context: AtomContext) => unknown) &
  Signature & { readonly name: string; readonly revert?: Atom['revert'] };

/**
 * Makes an atom of a function.
 * @param more what it requires and provides, and how it is reverted
 */
export function task(
  name: string,
  execute: Atom['execute'],
  more: Omit<Atom, 'name' | 'execute'> = {},
): Atom {
  return { ...more, name, execute };
}

/**
 * Returns the atom that was given to `.add()` of a flow.
 * @param flow its flow's name, for messages
 * @throws {TaskpipeError} `USAGE` if it is not an atom
 */
export function toAtom(given: unknown, flow: string): Atom {
  if (typeof given === 'function') {
    if (/^class\b/.test(String(given)))
      throw noAtom(flow, `the class ${given.name}; add an instance: new ${given.name}()`);
    const { name, requires, optional, provides, rebind, inject, revert } = given as AtomFunction;
    if (name === '') throw noAtom(flow, 'a function without a name; give it one by task(name, fn)');
    const more = { requires, optional, provides, rebind, inject, revert } as Omit<Atom, 'name' | 'execute'>;
    return { ...more, name, execute: given as AtomFunction };
  }
  const atom = given as Atom;
  if (typeof given !== 'object' || given === null || typeof atom.execute !== 'function')
    throw noAtom(flow, `${describe(given)}; an atom has a name and a function execute`);
  if (typeof atom.name !== 'string' || atom.name === '')
    throw noAtom(flow, `an atom without a name (its name is ${JSON.stringify(atom.name)})`);
  return atom;
}

function noAtom(flow: string, what: string): TaskpipeError {
  return new TaskpipeError('USAGE', `flow "${flow}": add() takes atoms and flows; got ${what}`);
}

function describe(given: unknown): string {
  if (given instanceof Promise) return 'a promise; await it first';
  return typeof given === 'object' && given !== null ? 'an object without execute' : String(given);
}
