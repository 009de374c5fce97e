/** Change that a person makes to an output between two runs. */
export interface Edit {
  readonly name: string;
  readonly kind: Kind;
  /** True if the edit fails while this process has the database open. */
  readonly isAlone?: true;
  readonly apply: (output: Edited) => void | Promise<void>;
}

/**
 * Required behaviour of the next run:
 * - `harmless`: it continues, because no row is missing;
 * - `lossy`: with a ledger it stops with 65 and counts the missing rows; with --accept-edits it continues;
 * - `unclear`: with a ledger it stops with 65;
 * - `broken`: it stops with 65, with or without a ledger.
 */
export type Kind = 'harmless' | 'lossy' | 'unclear' | 'broken';

/** Output as the last run left it. */
export interface Edited {
  readonly path: string;
  /** Output as an earlier run left it. */
  readonly old: Buffer;
}

/** Records that the runs before the edit have saved. */
export const RECORDS: readonly string[] = [
  { uuid: '6ba7b811-9dad-11d1-80b4-00c04fd430c8', n: 1, text: 'plain' },
  { uuid: 'é "2"', n: 2, text: 'two\nlines, "quoted"' },
  { uuid: '0003', n: 3, text: '' },
  { uuid: 'https://example.com/?a=1&b=2', n: 4, text: '\ttab; semicolon, comma' },
  { uuid: 't5', n: 5, text: '=1+1' },
  { uuid: 't6', n: 6, text: 'naïve 😀' },
].map((record) => JSON.stringify(record));

/** Number of them that the first run has saved. */
export const OLDER = 4;

export const NEW = '{"uuid":"new","n":7,"text":"after the edit"}';
