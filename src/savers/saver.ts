import type { IdSet } from '../core/idset.ts';
import type { Task } from '../core/task.ts';
import type { Unmet } from './columns.ts';
import type { Field } from './fields.ts';

/** Why a task has no row. */
export interface Misfit {
  readonly code: 'COLUMNS' | 'VALUE';
  /** For a person: what does not fit, and what to do. */
  readonly message: string;
  /** The columns that would have to be there. */
  readonly columns: readonly string[];
}

/** The codes of misfits. */
export const MISFITS: readonly string[] = ['COLUMNS', 'VALUE'] satisfies readonly Misfit['code'][];

/** A row that was found in an output. Places are in bytes from the start of the file. */
export interface FoundRow {
  readonly uuid: string | undefined;
  readonly start: number;
  readonly end: number;
  /** The number of its line; from 1 where the scan began. */
  readonly line: number;
  /** Why it is not whole. Nothing that follows such a row is found. */
  readonly fault?: string;
  /** What a crash may have done to it: it has no end, or a NUL where bytes never came to the disk. */
  readonly damage?: 'open' | 'nul';
}

/** What an output's format is told. */
export interface FormatOptions {
  /** How the output is called in messages. */
  readonly path: string;
  readonly fields?: readonly Field[] | undefined;
  readonly all?: boolean | undefined;
  readonly widen?: boolean | undefined;
  readonly escapeFormulas?: boolean | undefined;
  /** The character between two cells, if it is not that of the format. */
  readonly delimiter?: string | undefined;
  /** Whether a new file begins with a byte order mark. */
  readonly bom?: boolean | undefined;
  /** Tells a person something worth knowing. */
  readonly note?: ((message: string) => void) | undefined;
}

/** What a destination is told. */
export interface DestinationOptions extends FormatOptions {
  readonly ledger?: string | undefined;
  readonly overwrite?: boolean | undefined;
  /** The table of a database. */
  readonly table?: string | undefined;
  /** Whether everything is on the disk before it counts. */
  readonly sync: boolean;
  /** A line on stderr. */
  readonly say: (message: string) => void;
  readonly note: (message: string) => void;
}

/** Rows of one output: tasks to text, and text to rows. */
export interface Rows {
  /** Whether rows tell their uuid. Known from the start, but for a new output, of which it is true until shown otherwise. */
  readonly hasUuid: boolean;
  /** Whether a row may span several lines, in quotes. */
  readonly hasQuotes: boolean;
  /** Where the rows of an existing output begin, past its header. */
  readonly first: number;
  /** The row of a task with its line end; before it, in a new output, the header. */
  encode(task: Task): string | Misfit;
  /** The columns that would have to be there for a task, once a row was encoded. */
  lackedBy(task: Task): readonly string[];
  /** The paths of `fields` that no record had, as far as it can tell. */
  readonly unmet?: Unmet;
  /** Reads rows, from the start of one, up to the first that is not whole. */
  scan(chunks: AsyncIterable<Buffer>, from: number): AsyncIterable<readonly FoundRow[]>;
  /** Columns that an existing output has to get before anything is saved (`--widen`). */
  readonly lacking: readonly string[];
  /**
   * Adds columns: from now on rows are encoded with them.
   * @returns the text of the whole output with them, from the text that it has
   */
  widen(columns: readonly string[], chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer>;
}

/**
 * A kind of rows.
 * @param head the beginning of an existing output; it ends at once where the output is new
 * @returns undefined where a crash has torn the output before its first row
 * @throws {TaskpipeError} `USAGE` or `DATA`, where the output can't take what is to be saved
 */
export type OpenRows = (head: AsyncIterable<Buffer>, options: FormatOptions) => Promise<Rows | undefined>;

/** Rows that are committed together. */
export interface RowBatch {
  /** Good until the commit has ended. */
  readonly rows: Buffer;
  /** The uuids that are to be marked as finished, and where their rows end in `rows`; -1: not in it. */
  readonly uuids: readonly string[];
  readonly ends: readonly number[];
}

/** Where rows are kept. */
export interface Destination {
  /** The uuids whose rows are in it; the stage adds those that it hands over. */
  readonly saved: IdSet;
  /** Whether there were no rows in it at the start. */
  readonly isFresh: boolean;
  /** Whether batches must say what is finished. */
  readonly marks: boolean;
  /** Whether a later record of a uuid takes the place of its row. Default: it is passed over. */
  readonly replaces?: boolean;
  /** Whether a uuid whose row is in it is not marked as finished. */
  isUnmarked(uuid: string): boolean;
  encode(task: Task): string | Misfit;
  /** The columns that would have to be there for a task. */
  lackedBy(task: Task): readonly string[];
  /** The paths of `fields` that no record had, as far as it can tell. */
  readonly unmet?: Unmet | undefined;
  /** Makes rows safe, then marks them. @throws {TaskpipeError} `IO`; not to be tried again */
  commit(batch: RowBatch): Promise<void>;
  /** Adds columns, while nothing is being committed. */
  widen(columns: readonly string[]): Promise<void>;
  /** Completes it. @param isWhole false where the run was stopped. @returns whether the rows are in place */
  finish(isWhole: boolean): Promise<boolean>;
  close(): Promise<void>;
}
