import { TaskpipeError } from '../core/errors.ts';
import { flag, type Option, optionName, type Values } from '../core/option.ts';
import type { Executor, Setting } from './executor.ts';
import type { httpOptions } from './http/options.ts';

/** A kind of work: the option that asks for it, and what makes its executor of the options' values. */
interface Kind {
  readonly option: Option<unknown>;
  make(values: Readonly<Record<string, unknown>>, setting: Setting): Promise<Executor>;
}

/** The kinds, by the option that asks for each. */
const kinds: Readonly<Record<string, Kind>> = {
  http: {
    option: flag('fetch the url of each task'),
    make: async (values, setting) => {
      const { http, fromValues } = await import('./http/index.ts');
      return http(fromValues(values as Values<typeof httpOptions>, setting));
    },
  },
};

/** The options that ask for a kind of work. */
export const kindOptions: Readonly<Record<string, Option<unknown>>> = Object.fromEntries(
  Object.entries(kinds).map(([name, { option }]) => [name, option]),
);

/**
 * The executor that the options ask for.
 * @throws {TaskpipeError} `USAGE`, where they do not ask for exactly one
 */
export function executorFor(values: Readonly<Record<string, unknown>>, setting: Setting): Promise<Executor> {
  const asked = Object.entries(kinds).filter(
    ([name]) => values[name] === true || typeof values[name] === 'string',
  );
  const [only, another] = asked;
  const names = Object.keys(kinds).map(optionName).join(', ');
  if (only === undefined) throw new TaskpipeError('USAGE', `say what is to be done with the tasks: ${names}`);
  if (another !== undefined) {
    throw new TaskpipeError(
      'USAGE',
      `${optionName(only[0])} and ${optionName(another[0])} are two kinds of work; give one, and pipe into another task-exec for the other`,
    );
  }
  return only[1].make(values, setting);
}
