import { TaskpipeError } from '../../core/base/errors.ts';
import { mustBeWhole } from '../../core/options/option.ts';
import { checkNames, type Names } from '../../core/options/unknown-options.ts';
import type { Reject } from '../../core/text/lines.ts';
import type { IdentityOptions } from '../../loaders/identity.ts';
import type { Format } from '../../loaders/index.ts';

/** Options of a load; each option of `task-load` has its counterpart here. */
export interface LoadOptions extends IdentityOptions {
  /** Format of the input. Default: by the ending of the file name, else by the first bytes. */
  readonly format?: Format | undefined;
  /** Ledger whose finished tasks are left out. */
  readonly ledger?: string | undefined;
  /** Loads finished tasks too. Default false. */
  readonly again?: boolean | undefined;
  /** Treatment of a uuid that occurred before in this load. Default `skip`. */
  readonly duplicates?: 'skip' | 'keep' | 'fail' | undefined;
  /** Character between cells. Default: a comma, or a tab for TSV. */
  readonly delimiter?: string | undefined;
  /** Character that encloses cells, or `none`. Default `"` in CSV, none in TSV. */
  readonly quote?: string | undefined;
  /**
   * Character that escapes the next one, or `none`. Default: `\\` in TSV; none in CSV, where a quote is
   * doubled.
   */
  readonly escape?: string | undefined;
  /** Number of lines to skip before the first row or line. Default 0. */
  readonly skip?: number | undefined;
  /** Beginning of lines to skip, in a table or a file of plain lines. */
  readonly comment?: string | undefined;
  /** True if a table begins with its header. Default true; without one, columns are `column1` and so on. */
  readonly header?: boolean | undefined;
  /** Column names, in place of the header's. */
  readonly columns?: readonly string[] | undefined;
  /** Name of an encoding, such as `gbk`. Default: UTF-8, or UTF-16 or UTF-32 by a byte order mark. */
  readonly encoding?: string | undefined;
  /** Attribute that a plain line becomes. Default `line`. */
  readonly field?: string | undefined;
  /**
   * Attributes to keep, by name or path, in order. They do not affect the uuid, which may be made of
   * attributes that are not kept.
   */
  readonly select?: readonly string[] | undefined;
  /** New names by old name or path. Renaming comes first: the uuid is made of the new names. */
  readonly rename?: ReadonlyMap<string, string> | undefined;
  /** Attributes, by name or path, that must not be missing, null or empty. */
  readonly require?: readonly string[] | undefined;
  /** SQL statement that returns rows of a SQLite database. Default: all rows of `table`. */
  readonly query?: string | undefined;
  /** Table of a SQLite database. Default `tasks`. */
  readonly table?: string | undefined;
  /** Maximum number of tasks to load. Records that are left out, such as finished ones, do not count. */
  readonly limit?: number | undefined;
  /** Number of valid records to skip first. Default 0. */
  readonly offset?: number | undefined;
  /** Number of tasks to choose evenly from all of the input. The choice is the same each time. */
  readonly sample?: number | undefined;
  /** Part `index` (from 1) of `of` to load. The uuid alone decides which part a task is in. */
  readonly shard?: { readonly index: number; readonly of: number } | undefined;
  /** Longest line or row, in bytes. Default 16 MiB. */
  readonly maxLine?: number | undefined;
  /** Receives all rejected input. Default: the first rejection ends the load with an error. */
  readonly reject?: Reject | undefined;
  /** Called with messages that may interest the user. */
  readonly info?: ((message: string) => void) | undefined;
  /**
   * Opens standard input, for the path `-`. Once `signal` is aborted it must end by itself; what was read
   * until then is loaded.
   */
  readonly stdin?: (() => AsyncIterable<Buffer>) | undefined;
  /** Signal to end the load after what it has read. */
  readonly signal?: AbortSignal | undefined;
}

/** Names of all options; others are rejected. */
export const LOAD_NAMES: Names<LoadOptions> = {
  uuidFields: true,
  uuid: true,
  uuidSep: true,
  format: true,
  ledger: true,
  again: true,
  duplicates: true,
  delimiter: true,
  quote: true,
  escape: true,
  skip: true,
  comment: true,
  header: true,
  columns: true,
  encoding: true,
  field: true,
  select: true,
  rename: true,
  require: true,
  query: true,
  table: true,
  limit: true,
  offset: true,
  sample: true,
  shard: true,
  maxLine: true,
  reject: true,
  info: true,
  stdin: true,
  signal: true,
};

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid */
export function checkLoadOptions(options: LoadOptions): void {
  const { limit, offset, sample, shard, rename, delimiter, quote, skip, comment } = options;
  checkNames('load()', options, LOAD_NAMES);
  mustBeWhole('limit', limit, 0);
  mustBeWhole('offset', offset, 0);
  mustBeWhole('sample', sample, 0);
  mustBeWhole('skip', skip, 0);
  mustBeCharacter('delimiter', delimiter);
  mustBeCharacter('quote', quote === 'none' ? undefined : quote);
  mustBeCharacter('escape', options.escape === 'none' ? undefined : options.escape);
  if (comment === '') throw new TaskpipeError('USAGE', 'comment must not be empty');
  mustBeWhole('shard.of', shard?.of, 1);
  for (const [from, to] of rename ?? []) {
    if (to !== 'run' && to !== 'result') continue;
    throw new TaskpipeError(
      'USAGE',
      `--rename must not create "${to}", which is reserved for taskpipe; got "${from}=${to}"`,
    );
  }
}

function mustBeCharacter(name: string, value: string | undefined): void {
  if (value === undefined || isCharacter(value)) return;
  throw new TaskpipeError('USAGE', `${name} must be one character; got ${JSON.stringify(value)}`);
}

/** Returns whether a text is one character that may be a delimiter, a quote or an escape. */
export function isCharacter(text: string): boolean {
  return text.length === 1 && !/[\r\n\ud800-\udfff]/.test(text);
}
