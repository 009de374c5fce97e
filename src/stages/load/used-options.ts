import { optionName } from '../../core/options/option.ts';
import { withoutUnused } from '../../core/options/unused-options.ts';
import { type Format, formatByName, type Hints, unusedOptions } from '../../loaders/index.ts';
import type { LoadOptions } from './load-options.ts';

/** Options that stood on the command line; undefined in the library, where all that are given count as such. */
export type Typed = ReadonlySet<string> | undefined;

/** The options that may say what a file is. Those of the environment serve a whole pipeline, and do not. */
export function hintsOf(options: LoadOptions, typed: Typed): Hints {
  if (typed === undefined) return options;
  return Object.fromEntries(Object.entries(options).filter(([name]) => name === 'format' || typed.has(name)));
}

/**
 * Leaves out options that no format of the files uses, as far as their names tell the formats.
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

/** @throws {TaskpipeError} `USAGE` for an option that was typed, and that none of the formats uses */
export function refuseUnused(formats: readonly Format[], options: LoadOptions, typed: Typed): void {
  withoutUnused(options, unusedOptions(givenIn(options), formats), typed, nameOf);
}

/** Names of the options that are given; a header is what there is without them. */
function givenIn(options: LoadOptions): string[] {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return given.map(([name]) => name).filter((name) => name !== 'header' || options.header === false);
}

function nameOf(key: string): string {
  return key === 'header' ? '--no-header' : optionName(key);
}
