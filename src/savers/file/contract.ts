import type { Rows } from '../contract.ts';
import type { OpenLedger } from './missing-rows.ts';
import type { OutputFile } from './output-file.ts';
import type { RunMark } from './run-mark.ts';

/** An output before its format is known. */
export interface Head {
  readonly output: OutputFile;
  /** Ledger, if there is one. */
  readonly opened: OpenLedger | undefined;
  /** Mark of a run that did not end cleanly. */
  readonly mark: RunMark | undefined;
  readonly sync: boolean;
  /** True if edits by someone else are accepted although the ledger does not match them. */
  readonly acceptEdits: boolean;
  /** Writes a line to stderr. */
  readonly warn: (message: string) => void;
  readonly info: (message: string) => void;
  /** Called with the uuid of each row that is read at the start. */
  readonly onRow?: ((uuid: string) => void) | undefined;
}

/** An output with its rows. */
export interface Recovery extends Head {
  readonly rows: Rows;
}
