import { EMPTY, ListFault, quotedName, splitList } from './name-list.ts';
import { InvalidValue, type Option } from './option.ts';
import { bytes, milliseconds } from './units.ts';

/* Kinds of options: each function declares an option of one kind. */

interface Common {
  readonly details?: string;
  readonly alias?: readonly string[];
  readonly allowsEmpty?: boolean;
  readonly env?: string;
}

interface Valued extends Common {
  readonly choices?: readonly string[];
  readonly placeholder?: string;
  readonly defaultText?: string;
  redact?(typed: string): string;
}

function option<T>(
  description: string,
  placeholder: string,
  parse: (text: string) => T,
  more: Valued & { default?: T },
): Option<T> {
  const { default: defaultValue, ...rest } = more;
  const defaultText = more.defaultText ?? (defaultValue === undefined ? undefined : String(defaultValue));
  return {
    description,
    placeholder,
    parse,
    defaultValue: defaultValue as T,
    ...rest,
    ...(defaultText === undefined ? {} : { defaultText }),
  };
}

/** Declares a flag, such as `--quiet`: true if it is given. */
export function flag(description: string, more: Common = {}): Option<boolean> {
  const parse = (text: string): boolean => {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off|)$/i.test(text)) return false;
    throw new InvalidValue('must be true or false');
  };
  return { description, defaultValue: false, parse, ...more };
}

/** Declares an option whose value is any text. */
export function text(description: string, more: Valued & { default: string; rule?: never }): Option<string>;
export function text(description: string, more?: Valued): Option<string | undefined>;
export function text(
  description: string,
  more: Valued & { default?: string } = {},
): Option<string | undefined> {
  return option(description, more.placeholder ?? 'TEXT', (typed) => typed, more);
}

/** Declares an option whose value is a path: of a folder if its placeholder is `DIR`, otherwise of a file. */
export function path(description: string, more: Valued = {}): Option<string | undefined> {
  const parse = (typed: string): string => {
    if (typed === '') throw new InvalidValue('must be a path');
    return typed;
  };
  const { placeholder = 'FILE' } = more;
  const pathOf = placeholder === 'DIR' ? 'folder' : 'file';
  return { ...option<string | undefined>(description, placeholder, parse, more), pathOf };
}

/** Limits of a whole number. */
interface Limits {
  readonly min?: number;
  readonly max?: number;
}

/** Declares an option whose value is a whole number of at least `min` (default 1). */
export function count(description: string, more: Valued & Limits & { default: number }): Option<number>;
export function count(description: string, more?: Valued & Limits): Option<number | undefined>;
export function count(
  description: string,
  more: Valued & Limits & { default?: number } = {},
): Option<number | undefined> {
  const { min = 1, max = Number.MAX_SAFE_INTEGER } = more;
  const parse = (typed: string): number => {
    const value = Number(typed);
    if (!/^\d+$/.test(typed) || value < min || value > max) {
      const most = more.max === undefined ? '' : ` and at most ${max}`;
      throw new InvalidValue(`must be a whole number of at least ${min}${most}`);
    }
    return value;
  };
  return { ...option(description, more.placeholder ?? 'N', parse, more), min };
}

/** Declares an option whose value is a number of bytes: `500`, `64KB`, `16MB`, `1GB` (steps of 1024). */
export function size(
  description: string,
  more: Valued & { default: number; defaultText: string },
): Option<number>;
export function size(description: string, more?: Valued): Option<number | undefined>;
export function size(
  description: string,
  more: Valued & { default?: number } = {},
): Option<number | undefined> {
  const parse = (typed: string): number => {
    const value = bytes(typed);
    if (value === undefined || value < 1)
      throw new InvalidValue('must be a size such as 500, 64KB, 16MB or 1GB');
    return value;
  };
  return option(description, more.placeholder ?? 'SIZE', parse, more);
}

/**
 * Declares an option whose value is a duration, in milliseconds: at least `min` (default 0), and at most the
 * longest wait of a timer.
 */
export function duration(
  description: string,
  more: Valued & { min?: number; default: number; defaultText: string },
): Option<number>;
export function duration(description: string, more?: Valued & { min?: number }): Option<number | undefined>;
export function duration(
  description: string,
  more: Valued & { min?: number; default?: number } = {},
): Option<number | undefined> {
  const { min = 0, ...rest } = more;
  const parse = (typed: string): number => {
    const value = milliseconds(typed);
    if (value === undefined || value < min || value >= 2 ** 31) {
      throw new InvalidValue(
        `must be a duration such as 500ms, 30s, 5m or 2h, ${min > 1 ? `of ${min}ms at least and ` : min > 0 ? 'not 0, and ' : ''}of 24d at most`,
      );
    }
    return value;
  };
  return option(description, more.placeholder ?? 'DURATION', parse, rest);
}

/** Declares an option whose value is one of the words in `of`. */
export function choice<const T extends string>(
  description: string,
  of: readonly T[],
  more: Valued & { default: T },
): Option<T>;
export function choice<const T extends string>(
  description: string,
  of: readonly T[],
  more?: Valued,
): Option<T | undefined>;
export function choice<T extends string>(
  description: string,
  of: readonly T[],
  more: Valued & { default?: T } = {},
): Option<T | undefined> {
  const parse = (typed: string): T => {
    const found = of.find((word) => word === typed);
    if (found === undefined) throw new InvalidValue(`must be one of ${of.join(', ')}`);
    return found;
  };
  return option<T | undefined>(description, more.placeholder ?? of.join('|'), parse, {
    ...more,
    choices: of,
  });
}

/**
 * Declares an option whose value is a list of names, separated by commas. Repeated options add up. A name
 * with a comma stands between double quotes, as in CSV: `id,"last, first"`.
 */
export function list(description: string, more: Valued = {}): Option<readonly string[] | undefined> {
  const parse = (typed: string): string[] => {
    const items = splitList(typed);
    if (items instanceof ListFault) throw new InvalidValue(items.rule);
    const names = items.map(([name]) => name as string);
    if (new Set(names).size < names.length) throw new InvalidValue('must name each only once');
    return names;
  };
  return {
    ...option<readonly string[] | undefined>(description, more.placeholder ?? 'A,B', parse, more),
    quote: quotedName,
    many: true,
  };
}

/** Pairs of names. Parsing gives an array; the library also takes a map. */
export type NamePairs = readonly (readonly [string, string])[] | ReadonlyMap<string, string>;

/**
 * Declares an option whose value is a list of pairs such as `old=new`, separated by commas. Repeated options
 * add up. Names are quoted as in `list`.
 */
export function pairs(
  description: string,
  placeholder: string,
  more: Valued = {},
): Option<NamePairs | undefined> {
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
  return { ...option(description, placeholder, parse, more), defaultValue: undefined, many: true };
}

/** Declares an option with a custom parser, which throws `InvalidValue` with the rule for a value. */
export function value<T>(
  description: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued & { default: T },
): Option<T>;
export function value<T>(
  description: string,
  placeholder: string,
  parse: (typed: string) => T,
  more?: Valued,
): Option<T | undefined>;
export function value<T>(
  description: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued & { default?: T } = {},
): Option<T | undefined> {
  return option<T | undefined>(description, placeholder, parse, more);
}

/** Declares an option with a custom parser. The option may be given several times. */
export function values<T>(
  description: string,
  placeholder: string,
  parse: (typed: string) => T,
  more: Valued = {},
): Option<readonly T[]> {
  return {
    ...option<readonly T[]>(description, placeholder, parse as never, more),
    defaultValue: [],
    many: true,
  };
}
