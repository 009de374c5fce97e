import { TaskpipeError } from '../base/errors.ts';
import { optionName } from './option.ts';

/**
 * Removes options that have no effect on the requested work. Such an option is an error if it was typed. In
 * the environment or a file it is ignored, because these serve a whole pipeline.
 * @param unused keys of the options without effect, each with the reason, which follows the name in the
 *   message
 * @param typed keys of the options on the command line; default: all of them
 * @param nameOf returns the name of an option as it is typed
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
