import { isUtf8 } from 'node:buffer';
import { TaskpipeError } from '../../core/base/errors.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { CSV, CsvParser, type Dialect, ROW_FAULTS, type Row } from '../../core/text/csv.ts';
import type { FormatOptions } from '../contract.ts';

/*
 * Existing outputs are read as Latin-1, where each character is one byte: offsets in the text are offsets in
 * the file. Delimiters, quotes and newlines are the same as in UTF-8. Only cells that are used are decoded.
 */

/** Longest row, in characters. A longer one is text after a quote that is never closed. */
export const MAX_ROW: number = 64 * 1024 * 1024;
/** Byte order mark: as a character, and as its bytes in Latin-1. */
export const BOM = '\ufeff';
export const BOM_BYTES = '\xef\xbb\xbf';
/** Line that tells Excel the delimiter of a file. */
const SEP_LINE = /^sep=([\x01-\x7f])\r?\n$/i;
/** Fault of bytes in another encoding. */
export const NOT_UTF8 = 'it is not valid UTF-8; save the file as UTF-8';

/** The header of an existing output. */
export interface Header {
  /** Column names; undefined if the file has only a byte order mark, a line `sep=;` or blank lines. */
  readonly names: readonly string[] | undefined;
  /** Text before the header: a byte order mark, a line `sep=;`, or both. */
  readonly preamble: string;
  /** Offset of its end in the file, in bytes. */
  readonly end: number;
  /** Number of lines up to its end. */
  readonly lines: number;
  /** Line end of the header, and so of the file. */
  readonly newline: '\n' | '\r\n';
}

/**
 * Reads the header from the beginning of an output.
 * @param usual delimiter of the format
 * @returns `torn` if a quote in it is not closed, if it has a NUL, or if it has no line end and a crash may
 *   have torn the first commit
 * @throws {TaskpipeError} `DATA` if the header is unusable, or another delimiter separates its cells
 */
export async function readHeader(
  head: AsyncIterable<Buffer>,
  dialect: Dialect,
  options: FormatOptions,
  usual: string,
): Promise<Header | 'torn'> {
  const parser = new CsvParser({ ...dialect, maxRow: MAX_ROW });
  let preamble = '';
  let end = 0;
  let isFirst = true;
  for await (const chunk of head) {
    let text = chunk.toString('latin1');
    if (isFirst && text.startsWith(BOM_BYTES)) {
      text = text.slice(BOM_BYTES.length);
      end += BOM_BYTES.length;
      preamble = BOM;
    }
    isFirst = false;
    for (const row of parser.push(text)) {
      end += row.text.length;
      if (row.text.includes('\0')) return 'torn';
      const [, told] = SEP_LINE.exec(row.text) ?? [];
      if (told !== undefined && row.line === 1) {
        if (told !== dialect.delimiter) throw otherDelimiter(options.path, told, usual);
        preamble += row.text;
      } else if (row.cells.length > 0 || row.fault !== undefined) {
        checkDelimiter(row, dialect, options, usual);
        return headerOf(row, { preamble, end }, options.path);
      }
    }
  }
  const [row] = parser.end();
  if (row === undefined) return { names: undefined, preamble, end, lines: 0, newline: '\n' };
  if (options.mayBeTorn || row.fault === 'open' || row.text.includes('\0')) return 'torn';
  checkDelimiter(row, dialect, options, usual);
  return headerOf(row, { preamble, end: end + row.text.length }, options.path);
}

function headerOf(row: Row, place: Pick<Header, 'preamble' | 'end'>, path: string): Header {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${path}:${row.line}: the header ${words}`);
  };
  if (row.fault !== undefined) fail(`is unusable: ${ROW_FAULTS[row.fault]}`);
  if (!isUtf8(Buffer.from(row.text, 'latin1'))) fail(NOT_UTF8.replace('it ', ''));
  const names = row.cells.map(decoded);
  if (/\r[^\n]/.test(row.text.replace(/"[^"]*"/g, ''))) {
    fail(
      'ends in a carriage return alone, as files of old Macs do; save the file with the line ends LF or CRLF',
    );
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === '') fail('has two columns without a name; name them, or remove those that are empty');
  if (twice !== undefined) fail(`has two columns named ${quoted(twice)}; rename one of them`);
  const lines = row.line + newlinesIn(row.text) - 1;
  return { names, ...place, lines, newline: row.text.endsWith('\r\n') ? '\r\n' : '\n' };
}

/** Delimiters that spreadsheets and other programs write. */
const DELIMITERS = [',', ';', '\t', '|'];
/** A rare delimiter that names may contain too: it is used only if it results in a column for the uuid. */
const COLON = ':';

/**
 * @throws {TaskpipeError} `DATA` if another delimiter results in columns, or in a column `uuid`, and this one does
 *   not
 */
function checkDelimiter(
  row: Row,
  { delimiter }: Dialect,
  { path, fields }: FormatOptions,
  usual: string,
): void {
  const names = row.fault === undefined ? row.cells.map(decoded) : [];
  if (names.includes('uuid') || fields?.some(({ name }) => names.includes(name))) return;
  const isBetter = (others: readonly string[], one: string): boolean =>
    others.includes('uuid') || (names.length === 1 && one !== COLON && others.length > 1);
  const other = [...DELIMITERS, COLON].find(
    (one) => one !== delimiter && isBetter(cellsOf(row.text, one), one),
  );
  if (other !== undefined) throw otherDelimiter(path, other, usual);
}

function cellsOf(text: string, delimiter: string): readonly string[] {
  const parser = new CsvParser({ ...CSV, delimiter, maxRow: MAX_ROW });
  const row = parser.push(text)[0] ?? parser.end()[0];
  return row === undefined || row.fault !== undefined ? [] : row.cells;
}

function otherDelimiter(path: string, found: string, usual: string): TaskpipeError {
  const shown = found === '\t' ? 'a tab' : quoted(found);
  const typed =
    found === usual ? 'leave out --delimiter' : `add --delimiter ${found === '\t' ? "'\\t'" : `'${found}'`}`;
  return new TaskpipeError(
    'DATA',
    `${path}:1: ${shown} separates its cells; ${typed}, or save to another file`,
  );
}

function newlinesIn(text: string): number {
  return text.split('\n').length - 1;
}

/** Bytes that are not ASCII, in text read as Latin-1. */
export const NOT_ASCII: RegExp = /[\x80-\xff]/;

/** Decodes a cell that was read as Latin-1. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
