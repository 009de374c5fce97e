/**
 * Delimited text as RFC 4180 has it, and what is met in the wild: any delimiter, `\n` or `\r\n`, quotes inside an
 * unquoted cell as they stand. Own code, because every row must know its line and its text, a row that is wrong must
 * not stop the next, and the fast libraries tell neither.
 */

import { Row, type RowFault } from './csv-row.ts';

export { ROW_FAULTS, Row, type RowFault } from './csv-row.ts';

export interface CsvOptions {
  /** One character. Default a comma. */
  readonly delimiter?: string | undefined;
  /** The longest row in characters, without its newline. Default: no limit. */
  readonly maxRow?: number | undefined;
}

const QUOTE = 34;
const NEWLINE = 10;
const RETURN = 13;

/** A parser that is fed text as it comes, and gives the rows that each piece completes. */
export class CsvParser {
  readonly #delimiter: string;
  readonly #maxRow: number;
  /** What is not parsed yet: less than a row. */
  #rest = '';
  #line = 1;
  /** Where in a cell the rest ends, where it is large: a row is then looked at piece by piece. */
  #place: Place | undefined;
  /** Inside a row over the cap, of which nothing is kept. */
  #isSkipping = false;

  constructor({ delimiter = ',', maxRow = Number.POSITIVE_INFINITY }: CsvOptions = {}) {
    this.#delimiter = delimiter;
    this.#maxRow = maxRow;
  }

  /** Whether the next text begins a row. */
  get isBetweenRows(): boolean {
    return this.#rest === '' && !this.#isSkipping;
  }

  /** The number of the line at which the next text begins, between rows. */
  get line(): number {
    return this.#line;
  }

  /** Passes over lines that were read otherwise, so that later rows know theirs. */
  passOver(lines: number): void {
    this.#line += lines;
  }

  /** The rows that this text completes. */
  push(text: string): Row[] {
    const end = this.#place === undefined ? 0 : this.#rowEnd(text);
    if (end < 0) return this.#keep(text);
    if (this.#isSkipping) this.#line += newlinesIn(text.slice(0, end));
    const all = this.#isSkipping ? text.slice(end) : this.#rest + text;
    this.#isSkipping = false;
    const rows: Row[] = [];
    let at = 0;
    let quote = all.indexOf('"');
    for (;;) {
      const newline = all.indexOf('\n', at);
      if (newline < 0) break;
      if (quote < 0 || quote > newline) {
        rows.push(this.#capped(this.#plainRow(all, at, newline)));
        this.#line++;
        at = newline + 1;
        continue;
      }
      const row = this.#quotedRow(all, at);
      if (row === undefined) break;
      rows.push(this.#capped(row));
      at += row.length;
      if (quote < at) quote = all.indexOf('"', at);
    }
    this.#rest = '';
    rows.push(...this.#keep(all.slice(at)));
    return rows;
  }

  /** The row that has no line end, if there is one. */
  end(): Row[] {
    const text = this.#rest;
    this.#rest = '';
    if (text === '') return [];
    if (!text.includes('"')) return [this.#plainRow(text, 0, text.length)];
    // A newline closes the row for the parser; the row itself has none.
    const row = this.#quotedRow(`${text}\n`, 0);
    const [cells, fault] = row === undefined ? [[], 'open' as const] : [row.cells, row.fault];
    return [new Row(cells, row?.line ?? this.#line, text, 0, text.length, fault)];
  }

  /** A row without quotes, `newline` being where it ends. */
  #plainRow(all: string, at: number, newline: number): Row {
    const end = newline > at && all.charCodeAt(newline - 1) === RETURN ? newline - 1 : newline;
    const cells = end === at ? [] : all.slice(at, end).split(this.#delimiter);
    return new Row(cells, this.#line, all, at, newline + 1);
  }

  /** A row with quotes; undefined where its end is not here yet. */
  #quotedRow(all: string, start: number): Row | undefined {
    const cells: string[] = [];
    const delimiter = this.#delimiter.charCodeAt(0);
    let fault: RowFault | undefined;
    for (let at = start; ; ) {
      let end: number;
      if (all.charCodeAt(at) === QUOTE) {
        const close = closingQuote(all, at);
        if (close < 0) return undefined;
        cells.push(all.slice(at + 1, close).replaceAll('""', '"'));
        end = close + 1;
        const next = all.charCodeAt(end);
        if (
          next !== delimiter &&
          next !== NEWLINE &&
          !(next === RETURN && all.charCodeAt(end + 1) === NEWLINE)
        ) {
          if (end + 1 >= all.length) return undefined;
          fault = 'quote';
          end = this.#cellEnd(all, end);
        }
      } else {
        end = this.#cellEnd(all, at);
        cells.push(
          all.slice(
            at,
            all.charCodeAt(end) === NEWLINE && all.charCodeAt(end - 1) === RETURN ? end - 1 : end,
          ),
        );
      }
      if (end >= all.length) return undefined;
      if (all.charCodeAt(end) === delimiter) {
        at = end + 1;
        continue;
      }
      const row = new Row(cells, this.#line, all, start, all.indexOf('\n', end) + 1, fault);
      this.#line += newlinesIn(row.text);
      return row;
    }
  }

  /** Where the unquoted cell at `at` ends: at its delimiter, its newline, or the end of what is here. */
  #cellEnd(all: string, at: number): number {
    const newline = all.indexOf('\n', at);
    const end = newline < 0 ? all.length : newline;
    const delimiter = all.indexOf(this.#delimiter, at);
    return delimiter < 0 || delimiter > end ? end : delimiter;
  }

  /** The row, unless it is over the cap: whether it came in one piece or in many makes no difference. */
  #capped(row: Row): Row {
    return row.length - 1 > this.#maxRow ? longRow(row.line) : row;
  }

  /** Keeps what is less than a row. Gives the row as one over the cap where it has become that. */
  #keep(text: string): Row[] {
    if (this.#isSkipping) {
      this.#line += newlinesIn(text);
      return [];
    }
    this.#rest += text;
    const { length } = this.#rest;
    if (this.#place === undefined && length > Math.min(LARGE, this.#maxRow)) {
      this.#place = 'start';
      this.#rowEnd(this.#rest);
    }
    if (length <= this.#maxRow) return [];
    const row = longRow(this.#line);
    this.#line += newlinesIn(this.#rest);
    this.#rest = '';
    this.#isSkipping = true;
    return [row];
  }

  /** Where the row that is open ends, just past its newline, by the same rules as it is read; or -1. */
  #rowEnd(text: string): number {
    const delimiter = this.#delimiter.charCodeAt(0);
    let place = this.#place as Place;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (place === 'quoted') {
        if (code === QUOTE) place = 'closed';
      } else if (code === QUOTE) {
        if (place !== 'inside') place = 'quoted'; // after one that seemed to close: a doubled one
      } else if (code === NEWLINE) {
        this.#place = undefined;
        return i + 1;
      } else place = code === delimiter ? 'start' : 'inside';
    }
    this.#place = place;
    return -1;
  }
}

/** A row of so many characters that is not whole yet is not read again with each piece: that would never end. */
const LARGE = 64 * 1024;

/** A place in a cell: at its start, inside of one without quotes, between quotes, or after the second of them. */
type Place = 'start' | 'inside' | 'quoted' | 'closed';

function longRow(line: number): Row {
  return new Row([], line, '', 0, 0, 'long');
}

/** Where the quote that opens at `open` is closed, or -1. A quote at the very end may be half of a doubled one. */
function closingQuote(all: string, open: number): number {
  for (let at = all.indexOf('"', open + 1); at >= 0; at = all.indexOf('"', at + 2)) {
    if (at + 1 >= all.length) return -1;
    if (all.charCodeAt(at + 1) !== QUOTE) return at;
  }
  return -1;
}

function newlinesIn(text: string): number {
  let newlines = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) newlines++;
  return newlines;
}

/** Writes rows: a function from cells to a row without its line end. A cell is quoted only where it must be. */
export function rowEncoder(delimiter = ','): (cells: readonly string[]) => string {
  const special = new RegExp(`["\\n\\r${delimiter.replace(/[\\\]^-]/, '\\$&')}]`);
  return (cells) => {
    // A single empty cell would be a blank line, which is no row.
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
