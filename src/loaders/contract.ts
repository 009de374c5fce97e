import type { Reject } from '../core/text/lines.ts';
import type { PlainRows } from './table/plain-rows.ts';
import type { Columns } from './table/table-columns.ts';

export type Format = 'csv' | 'tsv' | 'ndjson' | 'json' | 'lines' | 'sqlite';

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
  | 'query'
  | 'table';

/** A record as a loader reads it, before it is a task. */
export interface Loaded {
  /** The line where it begins, from 1. */
  readonly line: number;
  /** Its text as it was read, for messages and rejects. */
  readonly source: string;
  /** Its own `uuid`, whatever that is; undefined where it has none. */
  readonly uuid: unknown;
  /** Why it can be no task; undefined where it can. */
  readonly fault: string | undefined;
  /** Whether it was a task before: it carries a `run`, so it keeps its uuid. */
  readonly wasTask: boolean;
  /**
   * Returns an attribute as text: a string as it is, any other value as it is written in JSON; undefined if there is
   * none. In JSON the name may be a path, as in `result.json.sku`; an attribute of that very name comes first.
   */
  text(name: string): string | undefined;
  /** Returns whether an attribute, by name or path, is not there, null or empty. */
  isMissing(name: string): boolean;
  /** Returns whether one of these attributes, by name or path, is part of the result of an earlier run. */
  isMadeOf(names: readonly string[]): boolean;
  /** Returns all attributes, without uuid, run and result, as canonical JSON text: see `core/canonical.ts`. */
  canonical(): string;
  /**
   * Returns a checksum of the attributes that the task has, but for strings that its uuid is made of. For one uuid the
   * same attributes give the same checksum, in all formats.
   */
  checksum(): number;
  /** The task's record: the uuid, and those attributes that are selected. */
  toLine(uuid: string): string;
}

/** What is done to the attributes of every record. */
export interface Reshape {
  /** The attributes to keep, in order. Undefined: all. */
  readonly select: readonly string[] | undefined;
  /** Old name to new name. */
  readonly rename: ReadonlyMap<string, string>;
  /** The attributes that the uuid is made of; empty if it is made of all. */
  readonly uuidFields: readonly string[];
}

/** How a file is to be read. */
export interface ReadOptions extends Reshape {
  /** What to call it in messages. */
  readonly source: string;
  readonly reject: Reject;
  readonly maxLine: number;
  readonly encoding: string | undefined;
  readonly delimiter: string | undefined;
  /** Character that encloses the cells of a table, or `none`. Undefined: that of the format. */
  readonly quote: string | undefined;
  /** Character that escapes the next one in a table, or `none`. Undefined: that of the format. */
  readonly escape: string | undefined;
  /** Lines to skip before the first row. */
  readonly skip: number;
  /** Text at the beginning of lines that are skipped. */
  readonly comment: string | undefined;
  /** Does a CSV begin with its header? */
  readonly header: boolean;
  /** The column names, in place of those in the header. */
  readonly columns: readonly string[] | undefined;
  /** The attribute that a plain line becomes. */
  readonly field: string;
  /** The attributes that the options name, with the option, so that a header without one is an error. */
  readonly needed: ReadonlyMap<string, string>;
  /** The statement whose rows are read of a database. Default: all of `table`, which is by default `tasks`. */
  readonly query: string | undefined;
  readonly table: string | undefined;
  readonly note: (message: string) => void;
  /** Whether rows with these columns may come as `PlainRows`. Undefined: none may. */
  readonly takesPlain: ((columns: Columns) => boolean) | undefined;
}

/** Reads one format: bytes to records, a batch for each chunk. Invalid input goes to `reject`. */
export type Loader = (
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
) => AsyncIterable<readonly Loaded[] | PlainRows>;

/** Reads one kind of file that is not a stream of bytes. */
export type Opener = (path: string, options: ReadOptions) => AsyncIterable<readonly Loaded[]>;
