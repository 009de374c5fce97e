import { TaskpipeError } from '../base/errors.ts';
import { hint } from './suggest.ts';

/** Names of all options of a function. The type keeps the list complete. */
export type Names<T> = Readonly<Record<keyof T, true>>;

/**
 * Rejects unknown options, which JavaScript would ignore.
 * @param what function that takes them, such as `exec()`
 * @throws {TaskpipeError} `USAGE`, with the option that was probably meant
 */
export function checkNames<T extends object>(what: string, options: T, names: Names<T>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    throw new TaskpipeError(
      'USAGE',
      `${what} has no option ${JSON.stringify(name)}${hint(name, Object.keys(names))}`,
    );
  }
}

/** Returns the values that are options of a function. */
export function optionsOf<T extends object>(values: T, names: Names<T>): T {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(names, name))) as T;
}
