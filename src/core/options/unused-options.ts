import { TaskpipeError } from '../base/errors.ts';
import { optionName } from './option.ts';

/**
 * Takes away options that have no effect on what a command was asked for. One that was typed is an error; one of the
 * environment or a file serves a whole pipeline, and is ignored.
 * @param unused options by their keys, each with the reason, to follow its name
 * @param typed keys of the options that stood on the command line; default: all of them
 * @param nameOf gives the name of an option as it is typed
 * @throws {TaskpipeError} `USAGE`
 */
export function withoutUnused<T extends object>(
  values: T,
  unused: ReadonlyMap<string, string>,
  typed?: ReadonlySet<string>,
  nameOf: (key: string) => string = optionName,
): T {
  for (const [key, reason] of unused) {
    if (typed?.has(key) ?? true) throw new TaskpipeError('USAGE', `${nameOf(key)} ${reason}`);
  }
  return Object.fromEntries(Object.entries(values).filter(([key]) => !unused.has(key))) as T;
}
