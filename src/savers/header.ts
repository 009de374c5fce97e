import { isUtf8 } from 'node:buffer';
import { CsvParser, ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import type { FormatOptions } from './saver.ts';

/*
 * Existing outputs are read as Latin-1: a character is a byte then, so that places in the text are places in the
 * file; delimiters, quotes and newlines are the same, and cells that matter are decoded.
 */

/** A row that is longer was never one: a quote is open before it. */
export const MAX_ROW: number = 64 * 1024 * 1024;
/** The byte order mark: as a character, and as its bytes in Latin-1. */
export const BOM = '\ufeff';
const BOM_BYTES = '\xef\xbb\xbf';
/** A line with which a file tells Excel its delimiter. */
const SEP_LINE = /^sep=([\x01-\x7f])\r?\n$/i;

/** The header of an existing output. */
export interface Header {
  readonly names: readonly string[];
  /** The text before it: a byte order mark, a line `sep=;`, or both. */
  readonly preamble: string;
  /** The byte at which it ends. */
  readonly end: number;
  /** The line end of the header, and so of the file. */
  readonly newline: '\n' | '\r\n';
}

/**
 * Reads the header from the beginning of an output.
 * @param usual the delimiter of the format
 * @returns undefined if that is empty; `torn` if it has no end, or a NUL
 * @throws {TaskpipeError} `DATA` if it is unusable, `USAGE` if another delimiter separates its cells
 */
export async function readHeader(
  head: AsyncIterable<Buffer>,
  delimiter: string,
  options: FormatOptions,
  usual: string,
): Promise<Header | undefined | 'torn'> {
  const parser = new CsvParser({ delimiter, maxRow: MAX_ROW });
  let preamble = '';
  let end = 0;
  let isEmpty = true;
  for await (const chunk of head) {
    let text = chunk.toString('latin1');
    if (isEmpty && text.startsWith(BOM_BYTES)) {
      text = text.slice(BOM_BYTES.length);
      end += BOM_BYTES.length;
      preamble = BOM;
    }
    isEmpty = false;
    for (const row of parser.push(text)) {
      end += row.text.length;
      if (row.text.includes('\0')) return 'torn';
      const [, said] = SEP_LINE.exec(row.text) ?? [];
      if (said !== undefined && row.line === 1) {
        if (said !== delimiter) throw otherDelimiter(options.path, said, usual);
        preamble += row.text;
      } else if (row.cells.length > 0 || row.fault !== undefined) {
        checkDelimiter(row, delimiter, options, usual);
        return headerOf(row, { preamble, end }, options.path);
      }
    }
  }
  return isEmpty ? undefined : 'torn';
}

function headerOf(row: Row, place: Pick<Header, 'preamble' | 'end'>, path: string): Header {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${path}:${row.line}: the header ${words}`);
  };
  if (row.fault !== undefined) fail(`is unusable: ${ROW_FAULTS[row.fault]}`);
  if (!isUtf8(Buffer.from(row.text, 'latin1'))) fail('is not valid UTF-8');
  const names = row.cells.map(decoded);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(`has two columns named ${JSON.stringify(twice)}`);
  return { names, ...place, newline: row.text.endsWith('\r\n') ? '\r\n' : '\n' };
}

/** Delimiters that spreadsheets and other programs write. */
const DELIMITERS = [',', ';', '\t', '|'];

/** @throws {TaskpipeError} `USAGE` if another delimiter gives columns, or one for the uuid, and this one does not */
function checkDelimiter(row: Row, delimiter: string, { path, fields }: FormatOptions, usual: string): void {
  const names = row.fault === undefined ? row.cells.map(decoded) : [];
  if (names.includes('uuid') || fields?.some(({ name }) => names.includes(name))) return;
  const isBetter = (others: readonly string[]): boolean =>
    names.length > 1 ? others.includes('uuid') : others.length > 1;
  const other = DELIMITERS.find((one) => one !== delimiter && isBetter(cellsOf(row.text, one)));
  if (other !== undefined) throw otherDelimiter(path, other, usual);
}

function cellsOf(text: string, delimiter: string): readonly string[] {
  const [row] = new CsvParser({ delimiter, maxRow: MAX_ROW }).push(text);
  return row === undefined || row.fault !== undefined ? [] : row.cells;
}

function otherDelimiter(path: string, found: string, usual: string): TaskpipeError {
  const shown = found === '\t' ? 'a tab' : JSON.stringify(found);
  const typed =
    found === usual ? 'leave out --delimiter' : `add --delimiter ${found === '\t' ? "'\\t'" : `'${found}'`}`;
  return new TaskpipeError(
    'USAGE',
    `${path}:1: ${shown} separates its cells; ${typed}, or save to another file`,
  );
}

/** What may be something else when it is decoded. */
export const NOT_ASCII: RegExp = /[\x80-\xff]/;

/** A cell as text. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
