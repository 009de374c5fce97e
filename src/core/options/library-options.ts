import { TaskpipeError } from '../base/errors.ts';
import { mustBeWhole, type Option, type Options, parseOption } from './option.ts';
import { hint } from './suggest.ts';

/**
 * Options of a function of the library: those of a table, with the types of parsed values, and those of `Own`.
 * For an option in both, the type in `Own` counts. Editors show the doc comments of the table.
 */
export type LibraryOptions<O extends Options, Own = unknown> = {
  readonly [K in keyof O as Exclude<K, keyof Own>]?: O[K] extends Option<infer T> ? T | undefined : never;
} & Own;

/** Names of all members of a type. The type checker keeps the list complete. */
export type Names<T> = Readonly<Record<keyof T, true>>;
type OwnNames = Readonly<Record<string, true>>;

/**
 * Checks options from a caller of the library by the table that the command line is parsed with. Unknown options are
 * errors; JavaScript would ignore them.
 * @param what function that takes them, such as `exec()`
 * @param own names of the options that are not in the table, or have another type; these are not checked
 * @throws {TaskpipeError} `USAGE`; for an unknown option with the one that was probably meant
 */
export function checkOptions(what: string, options: object, table: Options, own: OwnNames): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(own, name)) continue;
    if (!Object.hasOwn(table, name)) {
      const names = namesOf(table, own);
      throw new TaskpipeError('USAGE', `${what} has no option ${JSON.stringify(name)}${hint(name, names)}`);
    }
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined) checkValue(name, table[name] as Option<unknown>, value);
  }
}

/** Checks whole numbers and texts; the types of other values are for the type checker. */
function checkValue(name: string, option: Option<unknown>, value: unknown): void {
  if (option.min !== undefined) mustBeWhole(name, value as number, option.min);
  if (typeof value !== 'string' || option.many) return;
  const parsed = parseOption(option, value, name);
  if (parsed === value) return;
  throw new TaskpipeError('USAGE', `${name} must be ${JSON.stringify(parsed)}; got ${JSON.stringify(value)}`);
}

/** Returns the values that are options of a function. */
export function optionsOf<T extends object>(values: T, table: Options, own: OwnNames): T {
  const names = namesOf(table, own);
  return Object.fromEntries(Object.entries(values).filter(([name]) => names.includes(name))) as T;
}

function namesOf(table: Options, own: OwnNames): string[] {
  return [...Object.keys(table), ...Object.keys(own)];
}
