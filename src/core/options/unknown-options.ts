import { TaskpipeError } from '../base/errors.ts';
import { hint } from './suggest.ts';

/** The names of all options that a function takes. Its type keeps it complete. */
export type Names<T> = Readonly<Record<keyof T, true>>;

/**
 * Refuses an option that there is not, which JavaScript would pass over in silence.
 * @param what takes them, as in `exec()`
 * @throws {TaskpipeError} `USAGE`, with what was likely meant
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

/** Those of many values that a function takes as its options. */
export function optionsOf<T extends object>(values: T, names: Names<T>): T {
  return Object.fromEntries(Object.entries(values).filter(([name]) => Object.hasOwn(names, name))) as T;
}
