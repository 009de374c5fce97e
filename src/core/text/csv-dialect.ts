/*
 * Dialects of delimited text. CSV follows RFC 4180: quotes enclose cells, and a quote inside a quoted cell is
 * doubled. TSV follows IANA, PostgreSQL's COPY and Miller: a row is one line, quotes are ordinary characters,
 * and \t, \n, \r and \\ stand for a tab, a newline, a carriage return and a backslash inside a cell.
 */

export interface Dialect {
  /** Character between two cells. */
  readonly delimiter: string;
  /** Character that encloses cells; empty if none does. */
  readonly quote: string;
  /** Character that escapes the next one; empty if there is none, so that a quote inside quotes is doubled. */
  readonly escape: string;
  /**
   * True if each line is a row: an escape never hides a delimiter or a newline. Unknown escapes stay as they
   * are.
   */
  readonly isLineBased: boolean;
}

export const CSV: Dialect = { delimiter: ',', quote: '"', escape: '', isLineBased: false };
export const TSV: Dialect = { delimiter: '\t', quote: '', escape: '\\', isLineBased: true };

/** Characters by the letter after an escape, as in MySQL and PostgreSQL. */
const LETTERS: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', 0: '\0' };

/**
 * Returns a function that decodes the text of a cell.
 * @param isQuoted true for the text between two quotes
 */
export function cellReader(dialect: Dialect, isQuoted: boolean): (text: string) => string {
  const { quote, escape: mark, isLineBased } = dialect;
  if (mark === '') return isQuoted ? (text) => text.replaceAll(quote + quote, quote) : (text) => text;
  const before = forPattern(mark);
  const doubled = isQuoted ? `|${forPattern(quote)}(${forPattern(quote)})` : '';
  const escapes = new RegExp((isLineBased ? `${before}([tnr${before}])` : `${before}(.)`) + doubled, 'gsu');
  const missing = isQuoted ? undefined : `${mark}N`; // NULL, in PostgreSQL and MySQL
  const characterFor = (_: string, letter: string | undefined, other: unknown): string => {
    if (letter === undefined) return other as string;
    return letter === mark ? mark : (LETTERS[letter] ?? letter);
  };
  return (text) => {
    if (text === missing) return '';
    return text.includes(mark) || (isQuoted && text.includes(quote))
      ? text.replace(escapes, characterFor)
      : text;
  };
}

function forPattern(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

/**
 * Returns a function that encodes cells as a row, without its line end. CSV cells are quoted only if they
 * must be.
 */
export function rowEncoder(dialect: Dialect = CSV): (cells: readonly string[]) => string {
  return dialect.isLineBased ? escapingEncoder(dialect) : quotingEncoder(dialect.delimiter);
}

function quotingEncoder(delimiter: string): (cells: readonly string[]) => string {
  const special = new RegExp(`["\\n\\r${delimiter.replace(/[\\\]^-]/, '\\$&')}]`);
  return (cells) => {
    // A single empty cell would be a blank line, which is not a row.
    if (cells.length === 1 && cells[0] === '') return '""';
    let row = '';
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] as string;
      if (i > 0) row += delimiter;
      row += special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
    }
    return row;
  };
}

const ESCAPED: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\\': '\\\\' };

function escapingEncoder({ delimiter }: Dialect): (cells: readonly string[]) => string {
  return (cells) => {
    // A blank line is not a row: \N stands for the empty cell.
    if (cells.length === 1 && cells[0] === '') return '\\N';
    let row = '';
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i] as string;
      if (i > 0) row += delimiter;
      row += /[\t\n\r\\]/.test(cell) ? cell.replace(/[\t\n\r\\]/g, (one) => ESCAPED[one] as string) : cell;
    }
    return row;
  };
}
