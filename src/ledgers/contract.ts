import type { IdSet } from '../core/ids/id-set.ts';

/** What is written of one uuid. */
export interface Entry {
  readonly uuid: string;
  /** Takes the uuid back: it is to be done again. */
  readonly undone?: true;
  /** With `undone`: its row is no longer in the output either. */
  readonly gone?: true;
  /** Where its row ends in the output that the writer was opened for, in bytes from the start of the file. */
  readonly end?: number;
}

/** State of an output at the end of a run that ended well. */
export interface Seal {
  /** Identity, size and times of the file; another stamp means that someone may have changed it. */
  readonly stamp: string;
  /** Number of uuids whose rows are in the output. */
  readonly rows: number;
  /** Whether the rows have a uuid. */
  readonly hasUuid: boolean;
}

/** What a ledger says of one output. */
export interface OutputHistory {
  /** The uuids whose rows are in it. */
  readonly saved: IdSet;
  /** Uuids that were taken back since; their rows may still be in it. */
  readonly undone: IdSet;
  /** Last seal of the output. */
  readonly seal: Seal | undefined;
  /** Whether the ledger says nothing of the output after its seal. */
  readonly isSealed: boolean;
  /** Size up to which the output is known. Undefined if the ledger does not name the output. */
  readonly end: number | undefined;
  /** Up to there, every row is named: less than `end` where lines are missing in between. */
  readonly named: number;
  /** Whether a power loss has left a hole in the ledger since the last look at all rows. */
  readonly hasHole: boolean;
}

/** How a ledger is, for `task-done check`. */
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

/** A ledger: which uuids are finished. Many may read and write it at once. */
export interface Ledger {
  /** What it is called in messages. */
  readonly place: string;
  /** The uuids that are finished. A ledger that does not exist is empty. @throws {TaskpipeError} `IO` */
  finished(): Promise<IdSet>;
  /** The finished uuids by name, each once. */
  list(): AsyncIterable<readonly string[]>;
  /** @param output the path of an output */
  history(output: string): Promise<OutputHistory>;
  /** Lists the uuids that were ever named with an output, some of them more than once. */
  rowsIn(output: string): AsyncIterable<readonly string[]>;
  /**
   * Opens it for writing, for as long as `close()` is not called; it is made where there is none.
   * @param output the path of the output that `end` is meant of
   * @throws {TaskpipeError} `LOCKED` while it is compacted
   */
  open(output?: string): Promise<LedgerWriter>;
  /** Checks every line. @param fault receives each that is torn or foreign */
  check(fault: (line: number, message: string) => void): Promise<Condition>;
  /**
   * Leaves out what no longer counts. @returns how many lines there were, and are
   * @throws {TaskpipeError} `LOCKED` if another process writes
   */
  compact(): Promise<{ before: number; after: number }>;
  /** Forgets everything. @throws {TaskpipeError} `LOCKED` if another process writes */
  clear(): Promise<void>;
}

/** A ledger that is open for writing. */
export interface LedgerWriter {
  /**
   * Adds lines, all of them or, with an exception, an unknown part. With `sync` they are on the disk when it resolves.
   * @throws {TaskpipeError} `IO`; not to be tried again
   */
  append(entries: readonly Entry[], sync: boolean): Promise<void>;
  /**
   * The same for rows of the output, of which there are millions.
   * @param ends where they end, by the index of their uuid, in bytes after `from`; -1: it has none
   */
  appendRows(uuids: readonly string[], ends: readonly number[], from: number, sync: boolean): Promise<void>;
  /**
   * Says that all rows up to `end` bytes of the output are named.
   * @param seal state of the output, at the end of a run
   */
  know(end: number, sync: boolean, seal?: Seal): Promise<void>;
  /**
   * Checks that what was written can be found: a file can lose its name. The other methods check it too.
   * @throws {TaskpipeError} `IO`
   */
  check(): Promise<void>;
  close(): Promise<void>;
}
