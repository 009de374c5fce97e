import { isUtf8 } from 'node:buffer';
import { CsvParser, ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import { quoted } from '../core/visible.ts';
import type { FormatOptions } from './saver.ts';

/*
 * Existing outputs are read as Latin-1: a character is a byte then, so that places in the text are places in the
 * file; delimiters, quotes and newlines are the same, and cells that matter are decoded.
 */

/** A row that is longer was never one: a quote is open before it. */
export const MAX_ROW: number = 64 * 1024 * 1024;
/** A byte order mark. */
export const BOM = '\xef\xbb\xbf';
/** Fault of bytes in another encoding. */
export const NOT_UTF8 = 'it is not valid UTF-8; save the file as UTF-8';

/** The header of an existing output. */
export interface Header {
  /** Column names; undefined if there is nothing yet but a byte order mark or blank lines. */
  readonly names: readonly string[] | undefined;
  /** Size in bytes, with a byte order mark and blank lines before it. */
  readonly end: number;
  /** Number of lines. */
  readonly lines: number;
  /** Its line end, and so that of the file. */
  readonly newline: '\n' | '\r\n';
}

/**
 * Reads the header from the beginning of an output.
 * @returns `torn` if a quote in it is not closed, it has a NUL, or, in an output whose
 *   first commit a crash may have torn, it has no line end
 * @throws {TaskpipeError} `DATA`, if it is unusable
 */
export async function readHeader(
  head: AsyncIterable<Buffer>,
  delimiter: string,
  { path, mayBeTorn = false }: FormatOptions,
): Promise<Header | 'torn'> {
  const parser = new CsvParser({ delimiter, maxRow: MAX_ROW });
  let end = 0;
  let isFirst = true;
  for await (const chunk of head) {
    let text = chunk.toString('latin1');
    if (isFirst && text.startsWith(BOM)) {
      text = text.slice(BOM.length);
      end += BOM.length;
    }
    isFirst = false;
    for (const row of parser.push(text)) {
      end += row.text.length;
      if (row.text.includes('\0')) return 'torn';
      if (row.cells.length > 0 || row.fault !== undefined) return headerOf(row, end, { path, delimiter });
    }
  }
  const [row] = parser.end();
  if (row === undefined) return { names: undefined, end, lines: 0, newline: '\n' };
  if (mayBeTorn || row.fault === 'open' || row.text.includes('\0')) return 'torn';
  return headerOf(row, end + row.text.length, { path, delimiter });
}

function headerOf(row: Row, end: number, { path, delimiter }: { path: string; delimiter: string }): Header {
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
  const other = otherDelimiter(names);
  if (other !== undefined) {
    fail(
      `has one column, ${quoted(String(names[0]))}: its columns are separated by ${quoted(other)}, not ${quoted(delimiter)}; save the file with ${quoted(delimiter)}`,
    );
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(`has two columns named ${JSON.stringify(twice)}`);
  const lines = row.line + newlinesIn(row.text) - 1;
  return { names, end, lines, newline: row.text.endsWith('\r\n') ? '\r\n' : '\n' };
}

/** Returns the delimiter that someone has saved the file with, if it is another one. */
function otherDelimiter([name = '', ...others]: readonly string[]): string | undefined {
  if (others.length > 0) return undefined;
  const told = /^sep=(.)$/.exec(name)?.[1]; // the first line of some files for Excel
  return (
    told ??
    [';', ',', '\t', '|'].find((one) => name.split(one).length > 1 && name.split(one).includes('uuid'))
  );
}

function newlinesIn(text: string): number {
  return text.split('\n').length - 1;
}

/** What may be something else when it is decoded. */
export const NOT_ASCII: RegExp = /[\x80-\xff]/;

/** A cell as text. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
