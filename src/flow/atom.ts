import { TaskpipeError } from '../core/base/errors.ts';
import { checkOptions, type Names } from '../core/options/library-options.ts';
import type { Failure } from '../core/record/task.ts';

/** Values by name: the inputs of an atom, or the store that a flow starts with. */
export type Inputs = Readonly<Record<string, unknown>>;

/**
 * Names under which other atoms find an atom's result.
 * - A string names the whole result.
 * - An array names the elements of an array result, in order, as a tuple does in TaskFlow. If the result is
 *   an object, it names members of it.
 * - A set names members of an object result.
 * - An object gives each name the member (a string) or the element (a number) that it stands for.
 */
export type Provides =
  | string
  | readonly string[]
  | ReadonlySet<string>
  | Readonly<Record<string, string | number>>;

/** Declared inputs and outputs of an atom or a retry controller. */
export interface Signature {
  /** Required inputs. The flow does not start if nothing can provide one of them. */
  readonly requires?: string | readonly string[];
  /** Inputs that may be missing. */
  readonly optional?: string | readonly string[];
  readonly provides?: Provides;
  /**
   * Names that inputs have outside the atom, if they differ: `{ argument: name }`. An input listed here is
   * required unless `optional` lists its argument.
   */
  readonly rebind?: Readonly<Record<string, string>>;
  /** Constant values, by the name outside the atom. They take precedence over all others. */
  readonly inject?: Inputs;
}

/** Context that an atom receives besides its inputs. */
export interface AtomContext {
  /** Name of the flow that is run. */
  readonly flow: string;
  /** Name of the atom. */
  readonly atom: string;
  /** Values that the flow started with. In task-exec these are the attributes of a record. */
  readonly store: Inputs;
  /** Signal that is aborted if the atom must stop: its timeout has passed, or the process is exiting. */
  readonly signal: AbortSignal;
  /** True if an earlier process was killed during this call: the call may have had effects already. */
  readonly isRepeated: boolean;
  /**
   * Reports the progress of the work to listeners and `--events`. It does nothing after the end of the call, or if
   * the part differs by less than 0.001 from the last reported one.
   * @param part from 0 to 1
   * @throws {TaskpipeError} `USAGE` if it is anything else
   */
  progress(part: number): void;
}

/** Function that runs before or after a call of an atom. Its error fails the call. */
export type Hook = (inputs: Inputs, context: AtomContext) => unknown;

/** Reason an atom is reverted. */
export interface Undoing {
  /** Result of its `execute`, even if the result is not JSON and so made the atom fail; undefined if it threw. */
  readonly result: unknown;
  /** Failure of its own `execute`; undefined if that succeeded. */
  readonly failure: Failure | undefined;
  /** All failures in the run, by atom name. */
  readonly failures: Readonly<Record<string, Failure>>;
}

/** One step of a flow: an object, or an instance of a class with these members. */
export interface Atom extends Signature {
  /** Name that is unique in the whole flow, including nested flows. */
  readonly name: string;
  /** Does the work. An error fails the atom, with the `code` of the error if it has one, else `ERROR`. */
  execute(inputs: Inputs, context: AtomContext): unknown;
  /** Undoes the work. It is also called if `execute` failed, because part of the work may be done. */
  revert?(inputs: Inputs, undoing: Undoing, context: AtomContext): unknown;
  /** Runs before each `execute`. */
  preExecute?(...given: Parameters<Hook>): unknown;
  /** Runs after each `execute`, also after one that failed. */
  postExecute?(...given: Parameters<Hook>): unknown;
  /** Runs before each `revert`, also if the atom has none. */
  preRevert?(...given: Parameters<Hook>): unknown;
  /** Runs after each `revert`, also after one that failed. */
  postRevert?(...given: Parameters<Hook>): unknown;
  /** Inputs that only `revert` gets, besides those of `execute`. The flow does not start if one cannot be provided. */
  readonly revertRequires?: string | readonly string[];
  /** Names that inputs of `revert` have outside the atom: `{ argument: name }`. Each of them is required. */
  readonly revertRebind?: Readonly<Record<string, string>>;
}

/** Function used as an atom. It must have a name, and may have the other members of an atom as properties. */
export type AtomFunction = ((inputs: Inputs, context: AtomContext) => unknown) & Omit<Atom, 'execute'>;

/** Members of atoms and controllers that declare inputs and outputs. */
export const SIGNATURE_NAMES: Names<Signature> = {
  requires: true,
  optional: true,
  provides: true,
  rebind: true,
  inject: true,
};

/** Functions that an atom may have besides `execute`. */
const FUNCTIONS = ['revert', 'preExecute', 'postExecute', 'preRevert', 'postRevert'] as const;

const ATOM_NAMES: Names<Atom> = {
  ...SIGNATURE_NAMES,
  ...{ name: true, execute: true, revert: true },
  ...{ preExecute: true, postExecute: true, preRevert: true, postRevert: true },
  ...{ revertRequires: true, revertRebind: true },
};

/**
 * Makes an atom of a function.
 * @param more other members of the atom: its inputs, its outputs and `revert`
 */
export function task(
  name: string,
  execute: Atom['execute'],
  more: Omit<Atom, 'name' | 'execute'> = {},
): Atom {
  return { ...more, name, execute };
}

/**
 * Returns the atom for a value that was passed to the method `add` of a flow.
 * @param flow name of the flow, for messages
 * @throws {TaskpipeError} `USAGE` if the value is not an atom
 */
export function toAtom(given: unknown, flow: string): Atom {
  if (typeof given === 'function') {
    if (/^class\b/.test(String(given)))
      throw noAtom(flow, `the class ${given.name}; add an instance: new ${given.name}()`);
    const { name } = given as AtomFunction;
    if (name === '') throw noAtom(flow, 'a function without a name; give it one by task(name, fn)');
    const members = Object.keys(ATOM_NAMES).map((key) => [
      key,
      (given as unknown as Atom)[key as keyof Atom],
    ]);
    return checkFunctions(flow, { ...Object.fromEntries(members), name, execute: given as AtomFunction });
  }
  const atom = given as Atom;
  if (typeof given !== 'object' || given === null || typeof atom.execute !== 'function')
    throw noAtom(flow, `${describe(given)}; an atom has a name and a function execute`);
  if (typeof atom.name !== 'string' || atom.name === '')
    throw noAtom(flow, `an atom without a name (its name is ${JSON.stringify(atom.name)})`);
  // An instance of a class may have further members.
  if (Object.getPrototypeOf(atom) === Object.prototype)
    checkOptions(`flow "${flow}": atom "${atom.name}"`, atom, {}, ATOM_NAMES);
  return checkFunctions(flow, atom);
}

/** @throws {TaskpipeError} `USAGE` if `revert` or a hook is not a function */
function checkFunctions(flow: string, atom: Atom): Atom {
  for (const name of FUNCTIONS) {
    const type = typeof atom[name];
    if (type === 'function' || type === 'undefined') continue;
    throw new TaskpipeError(
      'USAGE',
      `flow "${flow}": ${name} of the atom "${atom.name}" must be a function; got ${atom[name] === null ? null : type}`,
    );
  }
  return atom;
}

function noAtom(flow: string, what: string): TaskpipeError {
  return new TaskpipeError('USAGE', `flow "${flow}": add() takes atoms and flows; got ${what}`);
}

function describe(given: unknown): string {
  if (given instanceof Promise) return 'a promise; await it first';
  return typeof given === 'object' && given !== null ? 'an object without execute' : String(given);
}
