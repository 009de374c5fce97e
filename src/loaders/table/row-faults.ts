import { counted } from '../../core/base/format.ts';
import { type Dialect, ROW_FAULTS, type Row } from '../../core/text/csv.ts';
import { REPLACEMENT } from '../../core/text/encoding.ts';
import type { BadInput } from '../../core/text/lines.ts';
import type { ReadOptions } from '../contract.ts';

/** Reason a row was rejected. */
export type RowReject = Pick<BadInput, 'code' | 'message'>;

/** Facts about the table of a row. */
export interface RowContext {
  /** Number of columns. */
  readonly width: number;
  /** Cells of the header; undefined if the file has none. */
  readonly header: readonly string[] | undefined;
  readonly dialect: Dialect;
  /** True if an earlier row had a cell in quotes, so that quotes enclose cells in this file. */
  readonly hasQuotes: boolean;
  /** True if the row is the first one after the header. */
  readonly isFirst: boolean;
}

/** Returns the fault of a row with bytes that are not valid in the encoding of the file. */
export function undecoded(
  { text }: Row,
  { encoding, encodingHints }: Pick<ReadOptions, 'encoding' | 'encodingHints'>,
): RowReject | undefined {
  if (!text.isWellFormed()) return { code: 'UTF8', message: `not valid UTF-8${encodingHints.hint(text)}` };
  if (encoding === undefined || !text.includes(REPLACEMENT)) return undefined;
  return { code: 'ENCODING', message: `not valid ${encoding} (--encoding)` };
}

const HEADER_AGAIN =
  'this is the header again, as in files that were joined; if it is data, add --no-header --skip 1 --columns NAMES';

/** Returns whether a row is the header again; that of a joined file may begin with a byte order mark. */
function isHeader({ cells }: Row, header: readonly string[] | undefined): boolean {
  return header?.every((name, i) => name === cells[i] || (i === 0 && cells[i] === `\ufeff${name}`)) === true;
}

/** Returns the fault of a row; undefined if it has none. */
export function faultOf(row: Row, table: RowContext): RowReject | undefined {
  const { cells, fault } = row;
  if (fault !== undefined) return { code: fault === 'long' ? 'LONG' : 'CSV', message: troubleOf(row, table) };
  if (cells.length === table.width)
    return isHeader(row, table.header) ? { code: 'CSV', message: HEADER_AGAIN } : undefined;
  const found = `${counted(cells.length, 'cell')}, the header has ${table.width}`;
  if (row.lines < 2)
    return { code: 'CSV', message: `${found}${quoteDoubt(row, table) || headerDoubt(row, table)}` };
  return {
    code: 'CSV',
    message: `${found}; a quote joins ${counted(row.lines, 'line')} to this row${remedy(row, table)}`,
  };
}

/**
 * Returns the option to add if quotes or escapes, read as ordinary characters, may explain a wrong number of
 * cells.
 */
function quoteDoubt({ text }: Row, { dialect: { quote, delimiter, isLineBased } }: RowContext): string {
  // MySQL puts a backslash before a tab and a newline.
  if (isLineBased && /\\(?:\t|\r?\n$)/.test(text))
    return `; if \\ escapes tabs and newlines here: --escape '\\'`;
  const isOpen =
    quote === '' && text.split(delimiter).some((cell) => /^"[^"]*(?:""[^"]*)*$/.test(cell.trimEnd()));
  return isOpen ? `; if quotes enclose cells in this file: --quote '"'` : '';
}

/** Returns the option to add if a title may have been read as the header. */
function headerDoubt({ cells, line }: Row, { width, isFirst }: RowContext): string {
  if (!isFirst || width > 1 || cells.length < 2) return '';
  return `; if the header is in line ${line}: --skip ${line - 1}`;
}

/**
 * Returns the message for a fault that the parser found, with the number of lines in the row and the remedy.
 */
export function troubleOf(row: Row, table: Pick<RowContext, 'hasQuotes' | 'dialect'>): string {
  const { fault, lines, line, trouble } = row;
  const quoteLine = trouble?.quoteLine;
  const where = quoteLine === undefined || quoteLine === line ? 'here' : `in line ${quoteLine}`;
  const taken = `${counted(lines, 'line')} went into this row`;
  if (fault === 'open') {
    const upTo = lines > 1 ? `; ${counted(lines, 'line')} up to the end went into this row` : '';
    return `a quote opened ${where} is never closed${upTo}${remedy(row, table)}`;
  }
  if (fault === 'quote') {
    if (lines > 1)
      return `text follows the quote that closes the one opened ${where}; ${taken}${remedy(row, table)}`;
    if (/\\"/.test(row.text)) return `${ROW_FAULTS.quote}; if \\ escapes it here: --escape '\\'`;
    const other = [';', '\t', '|', ','].find((one) => row.text.includes(`"${one}"`));
    return other === undefined || other === table.dialect.delimiter
      ? ROW_FAULTS.quote
      : `${ROW_FAULTS.quote}; ${separatorHint(other)}`;
  }
  if (quoteLine === undefined) return 'the row is longer than --max-line';
  return `the row is longer than --max-line; a quote was opened ${where}, and ${taken}${remedy(row, table)}`;
}

/** Returns the option to add, or the line to correct, if the quotes may be wrong. */
function remedy(row: Row, { hasQuotes }: Pick<RowContext, 'hasQuotes'>): string {
  if (/\\"/.test(row.text)) return `; if \\ escapes quotes in this file: --escape '\\'`;
  const line = row.trouble?.quoteLine ?? row.line;
  return hasQuotes
    ? `; close or double the quote in line ${line}`
    : '; if quotes are ordinary characters in this file: --quote none';
}

/**
 * Returns a hint if the header may be a title and the rows below it have another delimiter: each row is then
 * one cell.
 * @param text first row after the header
 */
export function otherDelimiter(text: string): string | undefined {
  const found = [';', '\t', '|'].find((one) => text.split(one).length > 2);
  if (found === undefined) return undefined;
  return `the header is one column, but the row below it has ${JSON.stringify(found)}; if that separates the cells, add --delimiter '${typed(found)}', and --skip N for N lines before the header`;
}

/** Returns the option to add if another character may separate the cells. */
export function separatorHint(other: string): string {
  return `if ${JSON.stringify(other)} separates the cells, add --delimiter '${typed(other)}'`;
}

function typed(delimiter: string): string {
  return delimiter === '\t' ? '\\t' : delimiter;
}

/**
 * Returns true if each line of a row of three or more lines looks like a row itself: two stray quotes can
 * join lines so that the number of cells is correct.
 */
export function looksJoined(row: Row, width: number, delimiter: string): boolean {
  if (width < 2 || row.lines < 3) return false;
  const lines = row.text.replace(/\r?\n$/, '').split('\n');
  return lines.every((line) => line.split(delimiter).length === width);
}
