import { TaskpipeError } from '../base/errors.ts';
import { quoted, withoutUser } from '../base/terminal-text.ts';
import { hint } from './suggest.ts';

/**
 * Declaration of one option of a command. Parsing, checks, help, environment and documents derive from it.
 * Its name is its key in the command's table, in camel case (`maxBody` is `--max-body`).
 */
export interface Option<T> {
  /** Description in one line. */
  readonly description: string;
  /** Paragraph for the man page: reasons and limits. */
  readonly details?: string;
  /** Name of its value in help, as in `N`; absent for a flag. */
  readonly placeholder?: string;
  /** Words that its value can be, for completion and suggestions. */
  readonly choices?: readonly string[];
  /** Kind of path that its value is, if it is a path; for completion. */
  readonly pathOf?: 'file' | 'folder';
  /** Other names, without dashes. */
  readonly alias?: readonly string[];
  /** Default value in words, for help. */
  readonly defaultText?: string;
  /** Environment variable, if it is not `TASK_` and the name in upper case. */
  readonly env?: string;
  /** True if an empty environment variable counts as a value; by default it counts as not set. */
  readonly allowsEmpty?: boolean;
  /** Least value of a whole number. */
  readonly min?: number;
  /** True if it may be given several times; its value is then an array. */
  readonly many?: boolean;
  /** Returns the text to parse for one element of an array in a config file. Default: the element as it is. */
  quote?(element: string): string;
  /** Value if the option is not given. */
  readonly defaultValue: T;
  /**
   * Returns the part of a value that may be shown, if the value is or contains a secret. Default: the value
   * without the parts that look like secrets.
   */
  redact?(typed: string): string;
  /** Parses the typed text. @throws {InvalidValue} if the text is not a valid value */
  parse(text: string): unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: any value type will do
export type Options = Readonly<Record<string, Option<any>>>;

/** Values of a table of options. */
export type OptionValues<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never;
};

/** Error of `parse`. Its message is the rule for a value, as in `must be a whole number of at least 1`. */
export class InvalidValue extends Error {}

/** Checks a whole number from a caller of the library. @throws {TaskpipeError} `USAGE` */
export function mustBeWhole(name: string, value: number | undefined, min: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min)) return;
  throw new TaskpipeError(
    'USAGE',
    `${name} must be a whole number of at least ${min}; got ${JSON.stringify(value)}`,
  );
}

/**
 * Checks a duration in milliseconds from a caller of the library. A timer cannot wait longer: it would fire at
 * once.
 * @throws {TaskpipeError} `USAGE`
 */
export function mustBeDuration(name: string, value: number | undefined): void {
  if (value === undefined || (typeof value === 'number' && value > 0 && value < 2 ** 31)) return;
  const rule = 'must be a number of milliseconds above 0, of 24 days at most';
  throw new TaskpipeError('USAGE', `${name} ${rule}; got ${JSON.stringify(value)}`);
}

/** Returns an option as it is typed: `--max-body` for `maxBody`. */
export function optionName(key: string): string {
  return `--${kebab(key)}`;
}

/** Returns a key in kebab case: `max-body` for `maxBody`. */
export function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Parses one value.
 * @param from source of the text, as in `--jobs` or `TASK_JOBS`
 * @throws {TaskpipeError} `USAGE`, with option, rule and value
 */
export function parseOption(option: Option<unknown>, typed: string, from: string): unknown {
  try {
    return option.parse(typed);
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    const shown = typed.includes('://') ? withoutUser(typed) : typed;
    const meant = hint(typed, option.choices ?? []);
    throw new TaskpipeError('USAGE', `${from} ${error.message}; got ${quoted(shown)}${meant}`);
  }
}
