import type { IdSet } from '../core/ids/index.ts';
import type { Task } from '../core/record/task.ts';
import type { RowForm } from '../core/simd/row-form.ts';
import type { UnusedFields } from './rows/columns.ts';
import type { Field } from './rows/fields.ts';

/** Reason a task has no row. */
export interface Misfit {
  readonly code: 'COLUMNS' | 'VALUE' | 'CONSTRAINT';
  /** Message for the user: the value or attribute that does not fit, and the remedy. */
  readonly message: string;
  /** Columns that must be added for the task. */
  readonly columns: readonly string[];
}

/** Codes of misfits. */
export const MISFITS: readonly string[] = [
  'COLUMNS',
  'VALUE',
  'CONSTRAINT',
] satisfies readonly Misfit['code'][];

/** A row that was found in an output. `start` and `end` are in bytes from the start of the file. */
export interface FoundRow {
  /** Undefined if the row has no valid uuid. */
  readonly uuid: string | undefined;
  readonly start: number;
  readonly end: number;
  /** Number of its first line in the file, from 1. */
  readonly line: number;
  /** True if the row is the last one and lacks only its line end. */
  readonly isOpen?: boolean;
  /** Reason the row is invalid. The scan stops after such a row. */
  readonly fault?: string;
  /** Remedy to use instead of correcting that line. */
  readonly remedy?: string;
  /**
   * Damage that a crash may cause: no line end, an open quote, or a NUL where bytes never reached the disk.
   */
  readonly damage?: 'open' | 'quote' | 'nul';
}

/** Options of an output's format. */
export interface FormatOptions {
  /** Name of the output in messages. */
  readonly path: string;
  readonly fields?: readonly Field[] | undefined;
  readonly all?: boolean | undefined;
  readonly widen?: boolean | undefined;
  readonly escapeFormulas?: boolean | undefined;
  /** True if a crash may have torn the first commit, and so the header. */
  readonly mayBeTorn?: boolean | undefined;
  /** Character between two cells. Default: that of the format. */
  readonly delimiter?: string | undefined;
  /** True if a new file begins with a byte order mark. */
  readonly bom?: boolean | undefined;
  /** Shows a note to the user. */
  readonly info?: ((message: string) => void) | undefined;
}

export interface DestinationOptions extends FormatOptions {
  /**
   * True if changes that someone made to the output are accepted instead of reported as errors: for example, missing
   * rows are removed from the ledger.
   */
  readonly acceptEdits?: boolean | undefined;
  readonly ledger?: string | undefined;
  /** Time that a server with the output or the ledger may be unavailable, in milliseconds. Default 1 minute. */
  readonly patience?: number | undefined;
  /** Aborted if the run was stopped: the wait for an unavailable server is then short. */
  readonly stopped?: AbortSignal | undefined;
  readonly overwrite?: boolean | undefined;
  /** Table of a database. */
  readonly table?: string | undefined;
  /** True if a row has the whole record, as jsonb. */
  readonly jsonb?: boolean | undefined;
  /** True if rows are synced to disk before they count as saved. */
  readonly sync: boolean;
  /** Writes a line to stderr. */
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
}

/** Rows of one output: tasks to text, and text to rows. */
export interface Rows {
  /** True if rows contain their uuid. For a new output it is true until the columns are known. */
  readonly hasUuid: boolean;
  /** Column names, if the rows have columns. */
  readonly names?: readonly string[] | undefined;
  /** Offset of the first row in an existing output, past its header. */
  readonly first: number;
  /** Line end of the output. */
  readonly newline: '\n' | '\r\n';
  /** Returns the row of a task with its line end. The first row of a new output comes with the header. */
  encode(task: Task): string | Misfit;
  /** Returns the columns that must be added for a task. Call it after the first `encode`. */
  missingColumns(task: Task): readonly string[];
  /**
   * Returns true if the existing rows have no place for the result of a task. Then they were not made from its
   * record, and the output may be the input of the pipeline.
   */
  lacksResult(task: Task): boolean;
  /** Paths of `fields` that no record so far had. Undefined if unknown. */
  readonly unusedFields?: UnusedFields;
  /** Form in which a reader may write the rows of the next tasks. Undefined if only `encode` can. */
  readonly form?: RowForm | undefined;
  /** Returns whether the `written` row of a task is in that form, so that it needs no `encode`. */
  takes?(task: Task): boolean;
  /**
   * Reads the rows of an existing output up to the first fault. Blank lines are skipped.
   * @param chunks bytes from `first` on
   */
  scan(chunks: AsyncIterable<Buffer>): AsyncIterable<readonly FoundRow[]>;
  /** Columns that must be added to an existing output before anything is saved (`--widen`). */
  readonly lacking: readonly string[];
  /**
   * Adds columns. Rows are encoded with them after the last chunk.
   * @param chunks bytes of the whole output
   * @returns bytes of the whole output with the new columns
   */
  widen(columns: readonly string[], chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer>;
}

/**
 * Function that opens the rows of an output in one format.
 * @param head bytes of an existing output from its start; empty for a new output
 * @returns undefined if a crash has torn the output before its first row
 * @throws {TaskpipeError} `USAGE` or `DATA` if the tasks cannot be saved to the output
 */
export type OpenRows = (head: AsyncIterable<Buffer>, options: FormatOptions) => Promise<Rows | undefined>;

/** Rows that are committed together. */
export interface RowBatch {
  /** Bytes of the rows, valid until the commit has ended. */
  readonly rows: Buffer;
  readonly rowCount: number;
  /**
   * Uuids to mark as finished, and the end of each one's row in `rows`; -1 if its row is not in this batch.
   */
  readonly uuids: readonly string[];
  readonly ends: readonly number[];
  /** Records of the rows, if the destination `refuses` rows. */
  readonly lines: readonly string[];
  /** Refused rows by their index in `lines`. The commit fills it, and their records go to the rest file. */
  readonly refused: Map<number, Misfit>;
}

/** Limits of the batches that a destination commits. */
export interface BatchLimits {
  /** Number of records that starts a commit; `flush` overrides it. */
  readonly records: number;
  /** Time that a record waits until a commit starts, in milliseconds; `flushInterval` overrides it. */
  readonly interval: number;
  /** Size that starts a commit, in characters. */
  readonly size: number;
  /** Limits of the batch that is gathered during a commit, in characters and records. */
  readonly mostSize: number;
  readonly mostRecords: number;
}

/** An output that rows are saved to. */
export interface Destination {
  /** Limits of its batches. Default: those of files. */
  readonly limits?: BatchLimits;
  /** Uuids whose rows are in the output. The router adds those that it hands over. */
  readonly saved: IdSet;
  /** True if the output was empty at the start. */
  readonly isFresh: boolean;
  /** True if batches must list the uuids to mark as finished. */
  readonly writesLedger: boolean;
  /** True if a later record with the same uuid replaces the row. Default: it is skipped. */
  readonly replaces?: boolean;
  /**
   * True if a commit may refuse single rows, as a database with constraints or a server with a maximum size does.
   * Default: it takes all or throws.
   */
  readonly refuses?: boolean;
  /** Returns true, once per uuid, if its row is in the output but the ledger does not mark it as finished. */
  isUnmarked(uuid: string): boolean;
  encode(task: Task): string | Misfit;
  /** Returns the columns that must be added for a task. */
  missingColumns(task: Task): readonly string[];
  /**
   * Checks that a row from before this run can come from the record of its task.
   * @throws {TaskpipeError} `USAGE` if the row has no place for the result: the output may be the input of
   *   the pipeline
   */
  mustHoldResult?(task: Task): void;
  /** Paths of `fields` that no record so far had. Undefined if unknown. */
  readonly unusedFields?: UnusedFields | undefined;
  /** Form in which a reader may write the rows of the next tasks. Undefined if only `encode` can. */
  readonly form?: RowForm | undefined;
  /** Returns whether the `written` row of a task is in that form, so that it needs no `encode`. */
  takes?(task: Task): boolean;
  /** Writes rows durably, then marks them as finished. @throws {TaskpipeError} `IO`; do not retry */
  commit(batch: RowBatch): Promise<void>;
  /** Adds columns. Call it only while no commit runs. */
  widen(columns: readonly string[]): Promise<void>;
  /**
   * Completes the output.
   * @param isWhole false if the run was stopped.
   * @returns true if the rows are in place
   */
  finish(isWhole: boolean): Promise<boolean>;
  close(): Promise<void>;
}
