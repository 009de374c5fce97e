/** A change that a person makes to an output between two runs. */
export interface Edit {
  readonly name: string;
  readonly kind: Kind;
  /** Whether it needs a database that no connection of this process has open. */
  readonly isAlone?: true;
  readonly apply: (output: Edited) => void | Promise<void>;
}

/**
 * What the next run must do:
 * - `harmless`: go on, as no row is gone;
 * - `lossy`: with a ledger, stop with 65 and say how many rows are missing; with --accept-edits go on;
 * - `unclear`: with a ledger, stop with 65;
 * - `broken`: stop with 65, with a ledger and without.
 */
export type Kind = 'harmless' | 'lossy' | 'unclear' | 'broken';

/** An output as the last run has left it. */
export interface Edited {
  readonly path: string;
  /** The output as an earlier run had left it. */
  readonly old: Buffer;
}

/** Records that the runs before the edit have saved, and one that comes after it. */
export const RECORDS: readonly string[] = [
  { uuid: '6ba7b811-9dad-11d1-80b4-00c04fd430c8', n: 1, text: 'plain' },
  { uuid: 'é "2"', n: 2, text: 'two\nlines, "quoted"' },
  { uuid: '0003', n: 3, text: '' },
  { uuid: 'https://example.com/?a=1&b=2', n: 4, text: '\ttab; semicolon, comma' },
  { uuid: 't5', n: 5, text: '=1+1' },
  { uuid: 't6', n: 6, text: 'naïve 😀' },
].map((record) => JSON.stringify(record));

/** How many of them the first run has saved. */
export const OLDER = 4;

export const NEW = '{"uuid":"new","n":7,"text":"after the edit"}';
