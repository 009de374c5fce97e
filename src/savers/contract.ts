import type { IdSet } from '../core/ids/id-set.ts';
import type { Task } from '../core/record/task.ts';
import type { Unmet } from './rows/columns.ts';
import type { Field } from './rows/fields.ts';

/** Why a task has no row. */
export interface Misfit {
  readonly code: 'COLUMNS' | 'VALUE' | 'CONSTRAINT';
  /** For a person: what does not fit, and what to do. */
  readonly message: string;
  /** The columns that would have to be there. */
  readonly columns: readonly string[];
}

/** The codes of misfits. */
export const MISFITS: readonly string[] = [
  'COLUMNS',
  'VALUE',
  'CONSTRAINT',
] satisfies readonly Misfit['code'][];

/** A row that was found in an output. Places are in bytes from the start of the file. */
export interface FoundRow {
  /** Undefined if the row has none, or no usable one. */
  readonly uuid: string | undefined;
  readonly start: number;
  readonly end: number;
  /** Number of its first line in the file, from 1. */
  readonly line: number;
  /** Set if it is the last row and complete except for its line end. */
  readonly isOpen?: boolean;
  /** Reason it is not a row. Nothing that follows such a row is found. */
  readonly fault?: string;
  /** Damage that a crash may have done: no line end, an open quote, or a NUL where bytes never came to the disk. */
  readonly damage?: 'open' | 'quote' | 'nul';
}

/** What an output's format is told. */
export interface FormatOptions {
  /** How the output is called in messages. */
  readonly path: string;
  readonly fields?: readonly Field[] | undefined;
  readonly all?: boolean | undefined;
  readonly widen?: boolean | undefined;
  readonly escapeFormulas?: boolean | undefined;
  /** Whether a crash may have torn the first commit, and so the header. */
  readonly mayBeTorn?: boolean | undefined;
  /** The character between two cells, if it is not that of the format. */
  readonly delimiter?: string | undefined;
  /** Whether a new file begins with a byte order mark. */
  readonly bom?: boolean | undefined;
  /** Tells a person something worth knowing. */
  readonly note?: ((message: string) => void) | undefined;
}

/** What a destination is told. */
export interface DestinationOptions extends FormatOptions {
  /** Whether rows that someone has removed from the output are taken out of the ledger, instead of an error. */
  readonly acceptEdits?: boolean | undefined;
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
  /** Column names, if the rows have columns. */
  readonly names?: readonly string[] | undefined;
  /** Offset of the first row in an existing output, past its header. */
  readonly first: number;
  /** Line end of the output. */
  readonly newline: '\n' | '\r\n';
  /** The row of a task with its line end; before it, in a new output, the header. */
  encode(task: Task): string | Misfit;
  /** The columns that would have to be there for a task, once a row was encoded. */
  lackedBy(task: Task): readonly string[];
  /**
   * Whether the rows that the output had before have no place for the result of a task: then none of them was made from
   * its record, and the output may be the input of the pipeline.
   */
  lacksResult(task: Task): boolean;
  /** The paths of `fields` that no record had, as far as it can tell. */
  readonly unmet?: Unmet;
  /**
   * Reads the rows of an existing output up to the first fault. Blank lines are skipped.
   * @param chunks the bytes from `first` on
   */
  scan(chunks: AsyncIterable<Buffer>): AsyncIterable<readonly FoundRow[]>;
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
  /** Number of rows. */
  readonly rowCount: number;
  /** The uuids that are to be marked as finished, and where their rows end in `rows`; -1: not in it. */
  readonly uuids: readonly string[];
  readonly ends: readonly number[];
  /** The records of the rows, if the destination `refuses` rows. */
  readonly lines: readonly string[];
  /** To be filled with the rows that were refused, by their index in `lines`. They go to the rest file. */
  readonly refused: Map<number, Misfit>;
}

/** Where rows are kept. */
export interface Destination {
  /** The uuids whose rows are in it; the stage adds those that it hands over. */
  readonly saved: IdSet;
  /** Whether there were no rows in it at the start. */
  readonly isFresh: boolean;
  /** Whether batches must say what is finished. */
  readonly marks: boolean;
  /** Whether a later record of a uuid takes the place of its row. Default: it is skipped. */
  readonly replaces?: boolean;
  /** Whether a commit may refuse rows, as a database with constraints does. Default: it takes all or throws. */
  readonly refuses?: boolean;
  /** Whether a uuid whose row is in it is not marked as finished. */
  isUnmarked(uuid: string): boolean;
  encode(task: Task): string | Misfit;
  /** The columns that would have to be there for a task. */
  lackedBy(task: Task): readonly string[];
  /**
   * Makes sure that the row of a task that was there before may be that of this record.
   * @throws {TaskpipeError} `USAGE`, if it has no place for the result: the output may be the input of the pipeline
   */
  mustHoldResult?(task: Task): void;
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
