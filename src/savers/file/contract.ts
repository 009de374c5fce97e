import type { Rows } from '../contract.ts';
import type { OpenLedger } from './missing-rows.ts';
import type { OutputFile } from './output-file.ts';
import type { RunMark } from './run-mark.ts';

/** An output before its format is known. */
export interface Head {
  readonly output: OutputFile;
  /** The ledger, if there is one. */
  readonly opened: OpenLedger | undefined;
  /** Mark of a run that did not end well. */
  readonly mark: RunMark | undefined;
  readonly sync: boolean;
  /** Whether someone's edits are accepted that the ledger does not agree with. */
  readonly acceptEdits: boolean;
  /** A line on stderr. */
  readonly say: (message: string) => void;
  readonly note: (message: string) => void;
}

/** An output with its rows. */
export interface Recovery extends Head {
  readonly rows: Rows;
}
