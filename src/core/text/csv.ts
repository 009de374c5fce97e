/**
 * Delimited text as RFC 4180 has it, and what is met in the wild: any delimiter, `\n` or `\r\n`, quotes inside an
 * unquoted cell as they stand, no quotes, escapes in place of doubled quotes. Own code, because every row must know
 * its line and its text, a row that is wrong must not stop the next, and the fast libraries tell neither.
 */

import { CSV, cellReader, type Dialect } from './csv-dialect.ts';
import { newlinesIn, Row, type RowTrouble } from './csv-row.ts';

export { CSV, type Dialect, rowEncoder, TSV } from './csv-dialect.ts';
export { ROW_FAULTS, Row, type RowFault } from './csv-row.ts';

/** Default dialect: `CSV`. */
export interface CsvOptions extends Partial<Dialect> {
  /** The longest row in characters, without its newline. Default: no limit. */
  readonly maxRow?: number | undefined;
  /** Lines that begin with this between two rows are skipped. Default: none are. */
  readonly comment?: string | undefined;
}

const NEWLINE = 10;
const RETURN = 13;
/** Code of a character that no text has. */
const NONE = -1;

/** A parser that is fed text as it comes, and gives the rows that each piece completes. */
export class CsvParser {
  readonly #dialect: Dialect;
  readonly #maxRow: number;
  readonly #comment: string;
  readonly #delimiter: number;
  readonly #quote: number;
  /** The escape, unless it is one that a line can be split without. */
  readonly #escape: number;
  readonly #plainCell: (text: string) => string;
  readonly #quotedCell: (text: string) => string;
  /** Text that is not parsed yet: less than a row. */
  #rest = '';
  #line = 1;
  /** State at the end of the rest, if that is large: such a row is looked at piece by piece. */
  #open: OpenRow | undefined;
  /** Whether the open row is over the cap, so that nothing of it is kept. */
  #isSkipping = false;

  constructor({ maxRow = Number.POSITIVE_INFINITY, comment = '', ...dialect }: CsvOptions = {}) {
    this.#dialect = { ...CSV, ...dialect };
    this.#maxRow = maxRow;
    this.#comment = comment;
    const { delimiter, quote, escape: mark, isLineBased } = this.#dialect;
    this.#delimiter = delimiter.charCodeAt(0);
    this.#quote = quote === '' ? NONE : quote.charCodeAt(0);
    this.#escape = mark === '' || isLineBased ? NONE : mark.charCodeAt(0);
    this.#plainCell = cellReader(this.#dialect, false);
    this.#quotedCell = cellReader(this.#dialect, true);
  }

  /** Whether the next text begins a row. */
  get isBetweenRows(): boolean {
    return this.#rest === '' && !this.#isSkipping;
  }

  /** The number of the line at which the next text begins, between rows. */
  get line(): number {
    return this.#line;
  }

  /** Counts lines that were read otherwise, so that later rows know theirs. */
  passOver(lines: number): void {
    this.#line += lines;
  }

  /** The rows that this text completes. */
  push(text: string): Row[] {
    const end = this.#open === undefined ? 0 : this.#rowEnd(text, this.#open);
    if (end < 0) return this.#keep(text);
    const rows: Row[] = this.#isSkipping ? this.#skipped(text.slice(0, end)) : [];
    const all = this.#isSkipping ? text.slice(end) : this.#rest + text;
    this.#isSkipping = false;
    this.#open = undefined;
    let at = 0;
    let special = this.#nextSpecial(all, 0);
    for (;;) {
      const newline = all.indexOf('\n', at);
      if (newline < 0) break;
      const isComment = this.#isComment(all, at);
      if (isComment || special < 0 || special > newline) {
        if (!isComment) rows.push(this.#capped(this.#plainRow(all, at, newline)));
        this.#line++;
        at = newline + 1;
      } else {
        const row = this.#quotedRow(all, at);
        if (row === undefined) break;
        rows.push(this.#capped(row));
        at += row.length;
      }
      if (special >= 0 && special < at) special = this.#nextSpecial(all, at);
    }
    this.#rest = '';
    rows.push(...this.#keep(all.slice(at)));
    return rows;
  }

  /** The row that has no line end, if there is one. */
  end(): Row[] {
    if (this.#isSkipping) return this.#skipped('');
    const text = this.#rest;
    this.#rest = '';
    if (text === '' || this.#isComment(text, 0)) return [];
    if (this.#nextSpecial(text, 0) < 0) return [this.#plainRow(text, 0, text.length)];
    // A newline closes the row for the parser; the row itself has none.
    const line = this.#line;
    const row = this.#quotedRow(`${text}\n`, 0);
    if (row !== undefined) return [new Row(row.cells, line, text, 0, text.length, row.trouble)];
    const open = newOpenRow(line);
    this.#rowEnd(text, open);
    return [new Row([], line, text, 0, text.length, { fault: 'open', quoteLine: open.quoteLine })];
  }

  /** Finds the next character that a row cannot be split without: a quote, or an escape. */
  #nextSpecial(all: string, from: number): number {
    const quote = this.#quote === NONE ? -1 : all.indexOf(this.#dialect.quote, from);
    if (this.#escape === NONE) return quote;
    const mark = all.indexOf(this.#dialect.escape, from);
    return quote < 0 || (mark >= 0 && mark < quote) ? mark : quote;
  }

  #isComment(all: string, at: number): boolean {
    return this.#comment !== '' && all.startsWith(this.#comment, at);
  }

  /** A row without quotes, `newline` being where it ends. */
  #plainRow(all: string, at: number, newline: number): Row {
    const end = newline > at && all.charCodeAt(newline - 1) === RETURN ? newline - 1 : newline;
    const cells = end === at ? [] : all.slice(at, end).split(this.#dialect.delimiter);
    if (this.#dialect.escape !== '')
      for (const [i, cell] of cells.entries()) cells[i] = this.#plainCell(cell);
    return new Row(cells, this.#line, all, at, newline + 1);
  }

  /** A row with quotes or escapes; undefined if its end is not here yet. */
  #quotedRow(all: string, start: number): Row | undefined {
    const cells: string[] = [];
    let trouble: RowTrouble | undefined;
    for (let at = start; ; ) {
      let end: number;
      if (all.charCodeAt(at) === this.#quote) {
        const close = this.#closingQuote(all, at);
        if (close < 0) return undefined;
        cells.push(this.#quotedCell(all.slice(at + 1, close)));
        end = close + 1;
        if (!this.#isCellEnd(all, end)) {
          if (end + 1 >= all.length) return undefined;
          trouble ??= { fault: 'quote', quoteLine: this.#line + newlinesIn(all.slice(start, at)) };
          end = this.#cellEnd(all, end);
        }
      } else {
        end = this.#cellEnd(all, at);
        const isReturn = all.charCodeAt(end) === NEWLINE && all.charCodeAt(end - 1) === RETURN;
        cells.push(this.#plainCell(all.slice(at, isReturn ? end - 1 : end)));
      }
      if (end >= all.length) return undefined;
      if (all.charCodeAt(end) === this.#delimiter) {
        at = end + 1;
        continue;
      }
      const row = new Row(cells, this.#line, all, start, all.indexOf('\n', end) + 1, trouble);
      this.#line += newlinesIn(row.text);
      return row;
    }
  }

  #isCellEnd(all: string, at: number): boolean {
    const code = all.charCodeAt(at);
    if (code === this.#delimiter || code === NEWLINE) return true;
    return code === RETURN && all.charCodeAt(at + 1) === NEWLINE;
  }

  /** Finds the quote that closes the one at `open`, or -1. A quote at the very end may be half of a doubled one. */
  #closingQuote(all: string, open: number): number {
    const { quote } = this.#dialect;
    for (let at = this.#nextSpecial(all, open + 1); at >= 0; at = this.#nextSpecial(all, at + 2)) {
      if (at + 1 >= all.length) return -1;
      if (all.charCodeAt(at) === this.#escape) continue;
      if (!all.startsWith(quote, at + 1)) return at;
    }
    return -1;
  }

  /** Finds where the unquoted cell at `at` ends: at its delimiter, its newline, or the end of the text. */
  #cellEnd(all: string, at: number): number {
    if (this.#escape !== NONE) return this.#escapedEnd(all, at);
    const newline = all.indexOf('\n', at);
    const end = newline < 0 ? all.length : newline;
    const delimiter = all.indexOf(this.#dialect.delimiter, at);
    return delimiter < 0 || delimiter > end ? end : delimiter;
  }

  #escapedEnd(all: string, from: number): number {
    for (let at = from; at < all.length; at++) {
      const code = all.charCodeAt(at);
      if (code === this.#escape) at++;
      else if (code === this.#delimiter || code === NEWLINE) return at;
    }
    return all.length;
  }

  /** The row, unless it is over the cap: whether it came in one piece or in many makes no difference. */
  #capped(row: Row): Row {
    if (row.length - 1 <= this.#maxRow) return row;
    const open = newOpenRow(row.line);
    this.#rowEnd(row.text, open);
    return longRow(row.line, row.lines, open.quoteLine);
  }

  /** Keeps text that is less than a row; nothing of one that is over the cap. */
  #keep(text: string): Row[] {
    if (this.#isSkipping) {
      this.#line += newlinesIn(text);
      return [];
    }
    this.#rest += text;
    const { length } = this.#rest;
    if (this.#open === undefined && length > Math.min(LARGE, this.#maxRow)) {
      const open = newOpenRow(this.#line);
      if (this.#isComment(this.#rest, 0)) open.place = 'comment';
      this.#open = open;
      this.#rowEnd(this.#rest, open);
    }
    if (length <= this.#maxRow) return [];
    this.#line += newlinesIn(this.#rest);
    this.#rest = '';
    this.#isSkipping = true;
    return [];
  }

  /** The row over the cap that ends with this text, which is empty at the end of the input. */
  #skipped(text: string): Row[] {
    const { line, quoteLine, place } = this.#open as OpenRow;
    this.#line += newlinesIn(text);
    const lines = this.#line - line + (text === '' ? 1 : 0);
    return place === 'comment' ? [] : [longRow(line, lines, quoteLine)];
  }

  /** Finds where the open row ends, just past its newline, by the same rules as it is read; or -1. */
  #rowEnd(text: string, open: OpenRow): number {
    if (open.place === 'comment') return text.indexOf('\n') + 1 || -1;
    let { place } = open;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (open.isEscaped) {
        open.isEscaped = false;
        if (code === NEWLINE) open.newlines++;
        if (place !== 'quoted') place = 'inside';
      } else if (code === this.#escape) open.isEscaped = true;
      else if (place === 'quoted') {
        if (code === this.#quote) place = 'closed';
        else if (code === NEWLINE) open.newlines++;
      } else if (code === this.#quote) {
        if (place === 'start') open.quoteLine = open.line + open.newlines;
        if (place !== 'inside') place = 'quoted'; // after one that seemed to close: a doubled one
      } else if (code === NEWLINE) {
        return i + 1;
      } else place = code === this.#delimiter ? 'start' : 'inside';
    }
    open.place = place;
    return -1;
  }
}

/** A row of so many characters that is not whole yet is not read again with each piece: that would never end. */
const LARGE = 64 * 1024;

/** A row whose end has not come. */
interface OpenRow {
  readonly line: number;
  /** Place in a cell: at its start, inside one without quotes, between quotes, or after the second of them. */
  place: 'start' | 'inside' | 'quoted' | 'closed' | 'comment';
  isEscaped: boolean;
  /** Newlines in the row so far. */
  newlines: number;
  /** Line of the quote that was opened last. */
  quoteLine: number | undefined;
}

function newOpenRow(line: number): OpenRow {
  return { line, place: 'start', isEscaped: false, newlines: 0, quoteLine: undefined };
}

function longRow(line: number, lines: number, quoteLine: number | undefined): Row {
  return new Row([], line, '', 0, 0, { fault: 'long', lines, quoteLine });
}
