import { TaskpipeError } from '../../core/base/errors.ts';
import { mustBeWhole } from '../../core/options/option.ts';
import { checkNames, type Names } from '../../core/options/unknown-options.ts';
import type { Reject } from '../../core/text/lines.ts';
import type { IdentityOptions } from '../../loaders/identity.ts';
import type { Format } from '../../loaders/index.ts';

/** All that `task-load` can be told; each option of the command has its counterpart here. */
export interface LoadOptions extends IdentityOptions {
  /** Default: by the ending of the file's name, else by its first bytes. */
  readonly format?: Format | undefined;
  /** Leaves out what this ledger says is finished. */
  readonly ledger?: string | undefined;
  /** Loads what is finished too. Default false. */
  readonly again?: boolean | undefined;
  /** What becomes of a uuid that came before in this load. Default `skip`. */
  readonly duplicates?: 'skip' | 'keep' | 'fail' | undefined;
  /** One character. Default a comma, or a tab for TSV. */
  readonly delimiter?: string | undefined;
  /** Character that encloses cells, or `none`. Default `"` in CSV, none in TSV. */
  readonly quote?: string | undefined;
  /** Character that escapes the next one, or `none`. Default: none in CSV, so that a quote is doubled; `\\` in TSV. */
  readonly escape?: string | undefined;
  /** How many lines to skip before the first row or line. */
  readonly skip?: number | undefined;
  /** Lines that begin with this are skipped, in a table or a file of plain lines. */
  readonly comment?: string | undefined;
  /** Does a CSV begin with its header? Default true; without one, columns are `column1` and so on. */
  readonly header?: boolean | undefined;
  /** Column names, in place of the header's. */
  readonly columns?: readonly string[] | undefined;
  /** The name of an encoding, as in `gbk`. Default UTF-8, or UTF-16 by its byte order mark. */
  readonly encoding?: string | undefined;
  /** The attribute that a plain line becomes. Default `line`. */
  readonly field?: string | undefined;
  /** The attributes to keep, by name or path, in order. The uuid is made of all, whatever is kept. */
  readonly select?: readonly string[] | undefined;
  /** Old name or path to new name, before all else: the uuid is made of the new names. */
  readonly rename?: ReadonlyMap<string, string> | undefined;
  /** Attributes, by name or path, that must not be missing, null or empty. */
  readonly require?: readonly string[] | undefined;
  /** A statement that gives rows, of a SQLite database. Default: all of `table`. */
  readonly query?: string | undefined;
  /** The table of a SQLite database. Default `tasks`. */
  readonly table?: string | undefined;
  /** How many tasks to load at most, of those that are to be done. */
  readonly limit?: number | undefined;
  /** How many records of the input to pass over first. */
  readonly offset?: number | undefined;
  /** Loads this many tasks, chosen evenly from all of the input; the same ones each time. */
  readonly sample?: number | undefined;
  /** Loads one part of `of`: which tasks are in it depends on their uuid alone. `index` is from 1. */
  readonly shard?: { readonly index: number; readonly of: number } | undefined;
  /** The longest line or row. Default 16 MiB. */
  readonly maxLine?: number | undefined;
  /** Receives all rejected input. Default: it ends the load with an error. */
  readonly reject?: Reject | undefined;
  /** Is told what a person may want to know. */
  readonly note?: ((message: string) => void) | undefined;
  /** Where `-` reads. Once `signal` is aborted it has to end by itself: what was read until then is loaded. */
  readonly stdin?: (() => AsyncIterable<Buffer>) | undefined;
  /** Ends the load after what it has read. */
  readonly signal?: AbortSignal | undefined;
}

/** All of them. */
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
  note: true,
  stdin: true,
  signal: true,
};

/** @throws {TaskpipeError} `USAGE` */
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

/** Whether a text is one character that a table can use for itself. */
export function isCharacter(text: string): boolean {
  return text.length === 1 && !/[\r\n\ud800-\udfff]/.test(text);
}
