import { isUtf8 } from 'node:buffer';
import { CsvParser, type Dialect, ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import type { FormatOptions } from './saver.ts';

/*
 * Existing outputs are read as Latin-1: a character is a byte then, so that places in the text are places in the
 * file; delimiters, quotes and newlines are the same, and cells that matter are decoded.
 */

/** A row that is longer was never one: a quote is open before it. */
export const MAX_ROW: number = 64 * 1024 * 1024;
const BOM = '\xef\xbb\xbf';

/** The header of an existing output. */
export interface Header {
  readonly names: readonly string[];
  /** Its bytes. */
  readonly end: number;
  /** Its line end, and so that of the file. */
  readonly newline: '\n' | '\r\n';
}

/**
 * Reads the header from the beginning of an output.
 * @returns undefined where that is empty; `torn` where it has no end, or a NUL
 * @throws {TaskpipeError} `DATA`, where it is unusable
 */
export async function readHeader(
  head: AsyncIterable<Buffer>,
  dialect: Dialect,
  { path }: FormatOptions,
): Promise<Header | undefined | 'torn'> {
  const parser = new CsvParser({ ...dialect, maxRow: MAX_ROW });
  let end = 0;
  let isEmpty = true;
  for await (const chunk of head) {
    let text = chunk.toString('latin1');
    if (isEmpty && text.startsWith(BOM)) {
      text = text.slice(BOM.length);
      end += BOM.length;
    }
    isEmpty = false;
    for (const row of parser.push(text)) {
      end += row.text.length;
      if (row.text.includes('\0')) return 'torn';
      if (row.cells.length > 0 || row.fault !== undefined) return headerOf(row, end, path);
    }
  }
  return isEmpty ? undefined : 'torn';
}

function headerOf(row: Row, end: number, path: string): Header {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${path}:${row.line}: the header ${words}`);
  };
  if (row.fault !== undefined) fail(`is unusable: ${ROW_FAULTS[row.fault]}`);
  if (!isUtf8(Buffer.from(row.text, 'latin1'))) fail('is not valid UTF-8');
  const names = row.cells.map(decoded);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(`has two columns named ${JSON.stringify(twice)}`);
  return { names, end, newline: row.text.endsWith('\r\n') ? '\r\n' : '\n' };
}

/** What may be something else when it is decoded. */
export const NOT_ASCII: RegExp = /[\x80-\xff]/;

/** A cell as text. */
export function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
