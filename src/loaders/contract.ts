import type { EncodingHints } from '../core/text/encoding-hints.ts';
import type { Reject } from '../core/text/lines.ts';
import type { PlainRows } from './table/plain-rows.ts';
import type { Columns } from './table/table-columns.ts';

export type Format =
  | ('csv' | 'tsv' | 'ndjson' | 'json' | 'lines' | 'sitemap')
  | ('xlsx' | 'parquet' | 'sqlite' | 'postgres');

/** Options that only some formats use. */
export type FormatOption =
  | 'encoding'
  | 'maxLine'
  | 'delimiter'
  | 'quote'
  | 'escape'
  | 'header'
  | 'columns'
  | 'skip'
  | 'comment'
  | 'field'
  | 'null'
  | 'query'
  | 'table'
  | 'sheet';

/** A record as a loader reads it, before it is a task. */
export interface Loaded {
  /** Number of the line where it begins, from 1. */
  readonly line: number;
  /** Text as it was read, for messages and rejects. */
  readonly source: string;
  /** Value of its attribute `uuid`, of any type; undefined if it has none. */
  readonly uuid: unknown;
  /** Reason it cannot become a task; undefined if it can. */
  readonly fault: string | undefined;
  /** True if it was a task before: it has a `run`, so it keeps its uuid. */
  readonly hasRun: boolean;
  /**
   * Returns an attribute as text: a string as it is, any other value as its JSON text; undefined if there is
   * none. In JSON the name may be a path, as in `result.json.sku`; an attribute with exactly that name takes
   * precedence.
   */
  text(name: string): string | undefined;
  /** Returns true if an attribute, by name or path, is missing, null or empty. */
  isMissing(name: string): boolean;
  /**
   * Returns true if one of these attributes, by name or path, comes from an earlier run: its result or `run`.
   */
  isMadeOf(names: readonly string[]): boolean;
  /**
   * Returns all attributes, without uuid, run and result, as canonical JSON text: see `canonical-json.ts`.
   */
  canonical(): string;
  /**
   * Returns a checksum of the attributes of the task, except strings from which its uuid is made. For one uuid, equal
   * attributes have the same checksum in all formats.
   */
  checksum(): number;
  /** Returns the record of the task: the uuid and the selected attributes. */
  toLine(uuid: string): string;
}

/** Changes to the attributes of every record. */
export interface Reshape {
  /** Attributes to keep, in order. Undefined: all. */
  readonly select: readonly string[] | undefined;
  /** Old name to new name. */
  readonly rename: ReadonlyMap<string, string>;
  /**
   * Attributes from which the uuid is made; empty if it is made from all of them, is random, or is the record's own.
   */
  readonly uuidFields: readonly string[];
}

/** Options for reading a file. */
export interface ReadOptions extends Reshape {
  /** Name of the file in messages. */
  readonly source: string;
  readonly reject: Reject;
  readonly maxLine: number;
  readonly encoding: string | undefined;
  readonly delimiter: string | undefined;
  /** Character that encloses the cells of a table, or `none`. Default: that of the format. */
  readonly quote: string | undefined;
  /** Character that escapes the next one in a table, or `none`. Default: that of the format. */
  readonly escape: string | undefined;
  /** Lines to skip before the first row. */
  readonly skip: number;
  /** Prefix of lines to skip. */
  readonly comment: string | undefined;
  /** True if the first row of a table is its header. */
  readonly header: boolean;
  /** Column names that replace those in the header. */
  readonly columns: readonly string[] | undefined;
  /** Name of the attribute for a plain line. */
  readonly field: string;
  /** True if items of a list end with NUL. */
  readonly null: boolean;
  /** Attributes that options require, each with its option: a header that lacks one is an error. */
  readonly needed: ReadonlyMap<string, string>;
  /**
   * SELECT statement that returns the rows of a database. Default: all rows of `table`, which is `tasks` by default.
   */
  readonly query: string | undefined;
  readonly table: string | undefined;
  /** Name of the sheet of a workbook. Default: the first one that is not hidden. */
  readonly sheet: string | undefined;
  /** Time that a server may be unavailable, in milliseconds. Default 1 minute. */
  readonly patience?: number | undefined;
  /** Aborted if the load was stopped: the wait for an unavailable server is then short. */
  readonly signal?: AbortSignal | undefined;
  readonly info: (message: string) => void;
  readonly encodingHints: EncodingHints;
  /** Returns true if rows with these columns may come as `PlainRows`. Undefined: none may. */
  readonly takesPlain: ((columns: Columns) => boolean) | undefined;
}

/** Reader of one format: turns bytes into batches of records. Invalid input goes to `reject`. */
export type Loader = (
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
) => AsyncIterable<readonly Loaded[] | PlainRows>;

/** Reader of one kind of file that is not a stream of bytes. */
export type Opener = (path: string, options: ReadOptions) => AsyncIterable<readonly Loaded[]>;
