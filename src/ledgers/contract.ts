import type { IdSet } from '../core/ids/index.ts';
import type { RedisSettings } from '../core/redis/redis-client.ts';

/** A change of the state of one uuid. */
export interface Entry {
  readonly uuid: string;
  /** Set if the task is taken back, so that it runs again. */
  readonly undone?: true;
  /** Set, together with `undone`, if its row was removed from the output too. */
  readonly gone?: true;
  /** End of its row in the output that the writer was opened for, in bytes from the start of the file. */
  readonly end?: number;
}

/** State of an output at the end of a run that ended cleanly. */
export interface Seal {
  /** Identity, size and times of the file; if the stamp differs, someone may have changed the file. */
  readonly stamp: string;
  /** Number of uuids whose rows are in the output. */
  readonly rows: number;
  /** True if the rows have a uuid. */
  readonly hasUuid: boolean;
}

/** Contents of a ledger about one output. */
export interface OutputHistory {
  /** Uuids whose rows are in the output. */
  readonly saved: IdSet;
  /**
   * Uuids that were taken back since. Their rows may still be in the output. A JSONL ledger also returns uuids
   * without a row in this output.
   */
  readonly undone: IdSet;
  /** Last seal of the output, if there is one. */
  readonly seal: Seal | undefined;
  /** True if no entry about the output follows its seal. */
  readonly isSealed: boolean;
  /**
   * Size up to which the ledger knows the output, in bytes. Undefined if the ledger does not name the output.
   */
  readonly end: number | undefined;
  /**
   * Size up to which the ledger names every row, in bytes. Less than `end` if lines may be missing in
   * between.
   */
  readonly verifiedEnd: number;
  /** True if a power loss has left a hole in the ledger after the last check of all rows. */
  readonly hasGap: boolean;
}

/** Settings of a ledger in Redis; other kinds ignore them. */
export type LedgerSettings = Pick<RedisSettings, 'patience' | 'stopping' | 'aborting'>;

/** Counts of the lines and uuids of a ledger, for `task-done check`. */
export interface Condition {
  /** Lines that are not blank. */
  readonly lines: number;
  /** Number of torn or foreign lines, which are ignored. */
  readonly bad: number;
  /** Uuids that are finished. */
  readonly finished: number;
  /** Uuids that were taken back. */
  readonly undone: number;
}

/** A ledger: the list of finished uuids. Many processes may read and write it at once. */
export interface Ledger {
  /** Name of the ledger in messages. */
  readonly place: string;
  /** Returns the finished uuids. A missing ledger counts as empty. @throws {TaskpipeError} `IO` */
  finished(): Promise<IdSet>;
  /** Lists the finished uuids, each once. */
  list(): AsyncIterable<readonly string[]>;
  /** Returns the rows, the seal and the known size of one output. @param output path of the output */
  history(output: string): Promise<OutputHistory>;
  /** Lists all uuids that entries name with an output, some of them more than once. */
  rowsIn(output: string): AsyncIterable<readonly string[]>;
  /**
   * Opens the ledger for writing until `close()`. Creates it if it does not exist.
   * @param output path of the output whose rows are marked
   * @throws {TaskpipeError} `LOCKED` while the ledger is compacted or cleared
   */
  open(output?: string): Promise<LedgerWriter>;
  /** Checks every line. @param fault called for each torn or foreign line */
  check(fault: (line: number, message: string) => void): Promise<Condition>;
  /**
   * Removes lines that no longer count.
   * @returns number of lines before and after
   * @throws {TaskpipeError} `LOCKED` if another process writes
   */
  compact(): Promise<{ before: number; after: number }>;
  /** Forgets everything. @throws {TaskpipeError} `LOCKED` if another process writes */
  clear(): Promise<void>;
}

/** A ledger that is open for writing. */
export interface LedgerWriter {
  /**
   * Adds entries. If it throws, an unknown part of them was added. With `sync`, they are on the disk when the promise
   * resolves; for a ledger in Redis, that is up to the server.
   * @throws {TaskpipeError} `IO`; do not retry
   */
  append(entries: readonly Entry[], sync: boolean): Promise<void>;
  /**
   * Adds uuids with the ends of their rows. The same as `append`, but fast enough for millions of rows.
   * @param ends end of the row of each uuid, in bytes after `from`; -1 if its row is not new
   */
  appendRows(uuids: readonly string[], ends: readonly number[], from: number, sync: boolean): Promise<void>;
  /**
   * Records that the ledger names all rows in the first `end` bytes of the output.
   * @param seal state of the output; given at the end of a run
   */
  know(end: number, sync: boolean, seal?: Seal): Promise<void>;
  /**
   * Checks that the path still names the ledger that was written. The other methods check it too.
   * @throws {TaskpipeError} `IO`
   */
  check(): Promise<void>;
  close(): Promise<void>;
}
