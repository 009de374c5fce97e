import { TaskpipeError } from '../../core/base/errors.ts';
import type { Atom, Provides, Signature } from '../atom.ts';

/** Name for a part of a result. Without `key` and `index` it names the whole result. */
export interface Provision {
  readonly name: string;
  /** Member, if the result is an object. */
  readonly key?: string;
  /** Element, if the result is an array. */
  readonly index?: number;
}

/** Input of an atom. */
export interface Argument {
  /** Name inside the atom. */
  readonly argument: string;
  /** Name outside the atom. */
  readonly name: string;
  readonly isOptional: boolean;
  /** True if only `revert` gets it. */
  readonly isForRevert: boolean;
}

/** Declared inputs of an atom or a controller. */
export type Declared = Signature & Pick<Partial<Atom>, 'revertRequires' | 'revertRebind'>;

/** Returns the names that `provides` declares, with the part of the result for each. */
export function provisionsOf(provides: Provides | undefined): Provision[] {
  if (provides === undefined) return [];
  if (typeof provides === 'string') return [{ name: provides }];
  if (provides instanceof Set) return [...(provides as Set<string>)].map((name) => ({ name, key: name }));
  if (Array.isArray(provides))
    return (provides as string[]).map((name, index) => ({ name, key: name, index }));
  return Object.entries(provides as Readonly<Record<string, string | number>>).map(([name, place]) =>
    typeof place === 'number' ? { name, index: place } : { name, key: place },
  );
}

/** Returns the value that a result has for a name; undefined if it has none. */
export function valueIn(result: unknown, { key, index }: Provision): unknown {
  if (key === undefined && index === undefined) return result;
  if (typeof result !== 'object' || result === null) return undefined;
  if (Array.isArray(result)) return index === undefined ? undefined : result[index];
  return key !== undefined && Object.hasOwn(result, key)
    ? (result as Record<string, unknown>)[key]
    : undefined;
}

/**
 * Returns the inputs of an atom: those of `execute`, then those of `revert` alone. Inputs that only `rebind` names are
 * required.
 * @param where the atom and its flow, for messages
 * @throws {TaskpipeError} `USAGE` if `requires`, `optional` or `revertRequires` is neither a name nor a list of names
 */
export function argumentsOf(declared: Declared, where: string): Argument[] {
  const { requires, optional, rebind = {}, revertRequires, revertRebind = {} } = declared;
  const needed = names(requires, `requires of ${where}`);
  const wanted = names(optional, `optional of ${where}`);
  const all = new Set([...needed, ...Object.keys(rebind), ...wanted]);
  const ofExecute = [...all].map((argument) => ({
    ...{ argument, name: outside(rebind, argument) },
    ...{ isOptional: wanted.includes(argument), isForRevert: false },
  }));
  if (revertRequires === undefined && declared.revertRebind === undefined) return ofExecute;
  const undo = new Set([
    ...names(revertRequires, `revertRequires of ${where}`),
    ...Object.keys(revertRebind),
  ]);
  const ofRevert = [...undo].map((argument) => ({
    ...{ argument, name: outside(revertRebind, argument), isOptional: false, isForRevert: true },
  }));
  return [...ofExecute, ...ofRevert];
}

/** Returns the name that an argument has outside its atom. */
function outside(rebind: Readonly<Record<string, string>>, argument: string): string {
  return (Object.hasOwn(rebind, argument) ? rebind[argument] : undefined) ?? argument;
}

function names(given: string | readonly string[] | undefined, where: string): readonly string[] {
  const list: unknown = typeof given === 'string' ? [given] : (given ?? []);
  if (Array.isArray(list) && list.every((name) => typeof name === 'string')) return list as string[];
  throw new TaskpipeError('USAGE', `${where} must be names; got ${JSON.stringify(given)}`);
}
