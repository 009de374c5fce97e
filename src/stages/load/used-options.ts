import { optionName } from '../../core/options/option.ts';
import { withoutUnused } from '../../core/options/unused-options.ts';
import { type Format, formatByName, type Hints, unusedOptions } from '../../loaders/index.ts';
import type { LoadOptions } from './load-options.ts';

/** Options on the command line; undefined in the library, where all given options count as typed. */
export type Typed = ReadonlySet<string> | undefined;

/**
 * Returns the options that may determine the format of a file. Options of the environment serve a whole pipeline, so
 * of these only `format` does.
 */
export function hintsOf(options: LoadOptions, typed: Typed): Hints {
  if (typed === undefined) return options;
  return Object.fromEntries(Object.entries(options).filter(([name]) => name === 'format' || typed.has(name)));
}

/**
 * Leaves out options that no format of the files uses, if the names of all files show their formats.
 * @throws {TaskpipeError} `USAGE` for one that was typed
 */
export function usedOptions(paths: readonly string[], options: LoadOptions, typed: Typed): LoadOptions {
  const hints = hintsOf(options, typed);
  const formats = paths.map((path) => formatByName(path, hints));
  const known = formats.filter((format) => format !== undefined);
  // A file whose format is not known yet may use them.
  if (known.length < formats.length) return options;
  return withoutUnused(options, unusedOptions(givenIn(options), known), typed, nameOf);
}

/** Rejects typed options that none of the formats uses. @throws {TaskpipeError} `USAGE` */
export function refuseUnused(formats: readonly Format[], options: LoadOptions, typed: Typed): void {
  withoutUnused(options, unusedOptions(givenIn(options), formats), typed, nameOf);
}

/** Returns the names of the options that are given. Of flags, only the value that is not the default counts. */
function givenIn(options: LoadOptions): string[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isDefault = ([name, value]: [string, unknown]): boolean =>
    (name === 'header' && value === true) || (name === 'null' && value === false);
  return given.filter((one) => !isDefault(one)).map(([name]) => name);
}

function nameOf(key: string): string {
  return key === 'header' ? '--no-header' : optionName(key);
}
