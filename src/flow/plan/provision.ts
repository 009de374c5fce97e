import { TaskpipeError } from '../../core/base/errors.ts';
import type { Provides, Signature } from '../atom.ts';

/** One name that a result gives a value to. Neither `key` nor `index`: the whole result. */
export interface Provision {
  readonly name: string;
  /** The member of a result that is an object. */
  readonly key?: string;
  /** The element of a result that is an array. */
  readonly index?: number;
}

/** One value that goes into an atom. */
export interface Argument {
  /** As the atom calls it. */
  readonly argument: string;
  /** As it is called outside. */
  readonly name: string;
  readonly isOptional: boolean;
}

/** The names that a result gives values to. */
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

/** The value that a result has for a name; undefined where it has none. */
export function valueIn(result: unknown, { key, index }: Provision): unknown {
  if (key === undefined && index === undefined) return result;
  if (typeof result !== 'object' || result === null) return undefined;
  if (Array.isArray(result)) return index === undefined ? undefined : result[index];
  return key !== undefined && Object.hasOwn(result, key)
    ? (result as Record<string, unknown>)[key]
    : undefined;
}

/**
 * What goes into an atom.
 * @param where the atom and its flow, for messages
 * @throws {TaskpipeError} `USAGE`, where a list is none
 */
export function argumentsOf({ requires, optional, rebind = {} }: Signature, where: string): Argument[] {
  const needed = names(requires, `requires of ${where}`);
  const wanted = names(optional, `optional of ${where}`);
  const all = new Set([...needed, ...Object.keys(rebind), ...wanted]);
  return [...all].map((argument) => ({
    argument,
    name: (Object.hasOwn(rebind, argument) ? rebind[argument] : undefined) ?? argument,
    isOptional: wanted.includes(argument),
  }));
}

function names(given: string | readonly string[] | undefined, where: string): readonly string[] {
  const list: unknown = typeof given === 'string' ? [given] : (given ?? []);
  if (Array.isArray(list) && list.every((name) => typeof name === 'string')) return list as string[];
  throw new TaskpipeError('USAGE', `${where} must be names; got ${JSON.stringify(given)}`);
}
