import { TaskpipeError } from '../base/errors.ts';
import { quoted, withoutUser } from '../base/terminal-text.ts';
import { EMPTY, ListFault, quotedName, splitList } from './name-list.ts';
import { hint } from './suggest.ts';

/**
 * Declaration of one option of a command. Parsing, checks, help, environment and documents derive from it.
 * Its name is its key in the command's table, in camel case (`maxBody` is `--max-body`).
 */
export interface Option<T> {
  /** Description in one line. */
  readonly words: string;
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
  readonly shown?: string;
  /** Environment variable, if it is not `TASK_` and the name in upper case. */
  readonly env?: string;
  /** True if an empty environment variable is a value; otherwise it counts as not set. */
  readonly allowsEmpty?: boolean;
  /** True if it may be given several times; its value is then an array. */
  readonly many?: boolean;
  /** Returns the text to parse for one element of an array in a config file. Default: the element as it is. */
  quote?(element: string): string;
  /** Value if the option is not given. */
  readonly fallback: T;
  /**
   * Returns the part of a value that may be shown, if the value is or contains a secret. Default: the value
   * without the parts that look like secrets.
   */
  shows?(typed: string): string;
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

interface Common {
  readonly details?: string;
  readonly alias?: readonly string[];
  readonly allowsEmpty?: boolean;
  readonly env?: string;
}

interface Valued extends Common {
  readonly choices?: readonly string[];
  readonly placeholder?: string;
  readonly shown?: string;
  shows?(typed: string): string;
}

function option<T>(
  words: string,
  placeholder: string,
  parse: (text: string) => T,
  more: Valued & { default?: T },
): Option<T> {
  const { default: fallback, shown, ...rest } = more;
  const said = shown ?? (fallback === undefined ? undefined : String(fallback));
  return {
    words,
    placeholder,
    parse,
    fallback: fallback as T,
    ...(said === undefined ? {} : { shown: said }),
    ...rest,
  };
}

/** Declares a flag, such as `--quiet`: true if it is given. */
export function flag(words: string, more: Common = {}): Option<boolean> {
  const parse = (text: string): boolean => {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off|)$/i.test(text)) return false;
    throw new InvalidValue('must be true or false');
  };
  return { words, fallback: false, parse, ...more };
}

/** Declares an option whose value is any text. */
export function text(words: string, more: Valued & { default: string; rule?: never }): Option<string>;
export function text(words: string, more?: Valued): Option<string | undefined>;
export function text(words: string, more: Valued & { default?: string } = {}): Option<string | undefined> {
  return option(words, more.placeholder ?? 'TEXT', (typed) => typed, more);
}

/** Declares an option whose value is a path: of a folder if its placeholder is `DIR`, otherwise of a file. */
export function path(words: string, more: Valued = {}): Option<string | undefined> {
  const parse = (typed: string): string => {
    if (typed === '') throw new InvalidValue('must be a path');
    return typed;
  };
  const { placeholder = 'FILE' } = more;
  const pathOf = placeholder === 'DIR' ? 'folder' : 'file';
  return { ...option<string | undefined>(words, placeholder, parse, more), pathOf };
}

/** Declares an option whose value is a whole number of at least `min` (default 1). */
export function count(words: string, more: Valued & { min?: number; default: number }): Option<number>;
export function count(words: string, more?: Valued & { min?: number }): Option<number | undefined>;
export function count(
  words: string,
  more: Valued & { min?: number; default?: number } = {},
): Option<number | undefined> {
  const { min = 1, ...rest } = more;
  const parse = (typed: string): number => {
    const value = Number(typed);
    if (!/^\d+$/.test(typed) || value < min || !Number.isSafeInteger(value)) {
      throw new InvalidValue(`must be a whole number of at least ${min}`);
    }
    return value;
  };
  return option(words, more.placeholder ?? 'N', parse, rest);
}

const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Declares an option whose value is a number of bytes: `500`, `64KB`, `16MB`, `1GB` (steps of 1024). */
export function size(words: string, more: Valued & { default: number; shown: string }): Option<number> {
  const parse = (typed: string): number => {
    const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|)$/i.exec(typed.trim());
    const value =
      match === null ? 0 : Math.floor(Number(match[1]) * (SIZES[match[2]?.toLowerCase() || 'b'] as number));
    if (value < 1) throw new InvalidValue('must be a size such as 500, 64KB, 16MB or 1GB');
    return value;
  };
  return option(words, more.placeholder ?? 'SIZE', parse, more);
}

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Returns the milliseconds of `500ms`, `1.5s`, `2m`, `4h`, `1d` or `0`; undefined for an invalid duration. */
export function milliseconds(typed: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/i.exec(typed.trim());
  if (match === null) return /^0+$/.test(typed.trim()) ? 0 : undefined;
  return Number(match[1]) * (DURATIONS[(match[2] as string).toLowerCase()] as number);
}

/**
 * Declares an option whose value is a duration, in milliseconds: at least `min` (default 0), and at most the
 * longest wait of a timer.
 */
export function duration(
  words: string,
  more: Valued & { default: number; shown: string; min?: number },
): Option<number> {
  const { min = 0, ...rest } = more;
  const parse = (typed: string): number => {
    const value = milliseconds(typed);
    if (value === undefined || value < min || value >= 2 ** 31) {
      throw new InvalidValue(
        `must be a duration such as 500ms, 30s, 5m or 2h, ${min > 0 ? 'not 0, and ' : ''}of 24d at most`,
      );
    }
    return value;
  };
  return option(words, more.placeholder ?? 'DURATION', parse, rest);
}

/** Declares an option whose value is one of the words in `of`. */
export function choice<const T extends string>(
  words: string,
  of: readonly T[],
  more: Valued & { default: T },
): Option<T>;
export function choice<const T extends string>(
  words: string,
  of: readonly T[],
  more?: Valued,
): Option<T | undefined>;
export function choice<T extends string>(
  words: string,
  of: readonly T[],
  more: Valued & { default?: T } = {},
): Option<T | undefined> {
  const parse = (typed: string): T => {
    const found = of.find((word) => word === typed);
    if (found === undefined) throw new InvalidValue(`must be one of ${of.join(', ')}`);
    return found;
  };
  return option<T | undefined>(words, more.placeholder ?? of.join('|'), parse, { ...more, choices: of });
}

/**
 * Declares an option whose value is a list of names, separated by commas. Repeated options add up. A name
 * with a comma stands between double quotes, as in CSV: `id,"last, first"`.
 */
export function list(words: string, more: Valued = {}): Option<readonly string[] | undefined> {
  const parse = (typed: string): string[] => {
    const items = splitList(typed);
    if (items instanceof ListFault) throw new InvalidValue(items.rule);
    const names = items.map(([name]) => name as string);
    if (new Set(names).size < names.length) throw new InvalidValue('must name each only once');
    return names;
  };
  return {
    ...option<readonly string[] | undefined>(words, more.placeholder ?? 'A,B', parse, more),
    quote: quotedName,
    many: true,
  };
}

/**
 * Declares an option whose value is a list of pairs such as `old=new`, separated by commas. Repeated options
 * add up. Names are quoted as in `list`.
 */
export function pairs(
  words: string,
  placeholder: string,
  more: Valued = {},
): Option<readonly (readonly [string, string])[] | undefined> {
  const parse = (typed: string): (readonly [string, string])[] => {
    const items = splitList(typed, '=');
    const rule = `must be ${placeholder.replace(/,.*/, '')} pairs with commas between them`;
    if (items instanceof ListFault) throw new InvalidValue(items === EMPTY ? rule : items.rule);
    return items.map(([first, second, ...others]) => {
      if (first && second && others.length === 0) return [first, second];
      throw new InvalidValue(
        others.length === 0 ? rule : `${rule}; put a name with "=" between double quotes`,
      );
    });
  };
  return { ...option(words, placeholder, parse, more), fallback: undefined, many: true };
}

/** Declares an option with a parser of its own, which throws `InvalidValue` with the rule for a value. */
export function value<T>(
  words: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued & { default: T },
): Option<T>;
export function value<T>(
  words: string,
  placeholder: string,
  parse: (typed: string) => T,
  more?: Valued,
): Option<T | undefined>;
export function value<T>(
  words: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued & { default?: T } = {},
): Option<T | undefined> {
  return option<T | undefined>(words, placeholder, parse, more);
}

/** Declares an option with a parser of its own that may be given several times. */
export function values<T>(
  words: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued = {},
): Option<readonly T[]> {
  return { ...option<readonly T[]>(words, placeholder, parse as never, more), fallback: [], many: true };
}

/** Checks a number from a caller of the library. @throws {TaskpipeError} `USAGE` */
export function mustBeWhole(name: string, value: number | undefined, min: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min)) return;
  throw new TaskpipeError(
    'USAGE',
    `${name} must be a whole number of at least ${min}; got ${JSON.stringify(value)}`,
  );
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
