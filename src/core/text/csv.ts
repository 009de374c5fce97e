/**
 * Delimited text by RFC 4180, and its common variants: any delimiter, `\n` or `\r\n`, literal quotes inside an
 * unquoted cell, no quotes, escapes instead of doubled quotes. This is our own code because each row needs its line
 * number and its text, and an invalid row must not affect the next one. The fast libraries provide neither.
 */

import { CSV, cellReader, type Dialect } from './csv-dialect.ts';
import { type CsvCodes, OpenRow } from './csv-open-row.ts';
import { newlinesIn, Row, type RowTrouble } from './csv-row.ts';

export { CSV, type Dialect, rowEncoder, TSV } from './csv-dialect.ts';
export { ROW_FAULTS, Row, type RowFault } from './csv-row.ts';

/** Options of the parser. The default dialect is `CSV`. */
export interface CsvOptions extends Partial<Dialect> {
  /** Maximum length of a row in characters, without its newline. Default: no limit. */
  readonly maxRow?: number | undefined;
  /** Beginning of comment lines, which are skipped between rows. Default: there are no comments. */
  readonly comment?: string | undefined;
}

const NEWLINE = 10;
const RETURN = 13;
/** Character code that never occurs. */
const NONE = -1;

/**
 * Length above which an incomplete row is not parsed again with each piece: that would take quadratic time.
 */
const LARGE = 64 * 1024;

/** Parser of a stream: it takes text in pieces, and returns the rows that each piece completes. */
export class CsvParser {
  readonly #dialect: Dialect;
  readonly #maxRow: number;
  readonly #comment: string;
  readonly #delimiter: number;
  readonly #quote: number;
  /** Code of the escape; `NONE` if rows can be split without decoding escapes. */
  readonly #escape: number;
  readonly #codes: CsvCodes;
  readonly #plainCell: (text: string) => string;
  readonly #quotedCell: (text: string) => string;
  /** Text that is not parsed yet: less than a row. */
  #rest = '';
  #line = 1;
  /** State at the end of the rest, if that is large: such a row is scanned piece by piece. */
  #open: OpenRow | undefined;
  /** True while the open row is too long: its text is not kept. */
  #isSkipping = false;

  constructor({ maxRow = Number.POSITIVE_INFINITY, comment = '', ...dialect }: CsvOptions = {}) {
    this.#dialect = { ...CSV, ...dialect };
    this.#maxRow = maxRow;
    this.#comment = comment;
    const { delimiter, quote, escape: mark, isLineBased } = this.#dialect;
    this.#delimiter = delimiter.charCodeAt(0);
    this.#quote = quote === '' ? NONE : quote.charCodeAt(0);
    this.#escape = mark === '' || isLineBased ? NONE : mark.charCodeAt(0);
    this.#codes = { delimiter: this.#delimiter, quote: this.#quote, escape: this.#escape };
    this.#plainCell = cellReader(this.#dialect, false);
    this.#quotedCell = cellReader(this.#dialect, true);
  }

  /** True if the next text begins a row. */
  get isBetweenRows(): boolean {
    return this.#rest === '' && !this.#isSkipping;
  }

  /** Number of the line at which the next text begins, between rows. */
  get line(): number {
    return this.#line;
  }

  /** Adds lines that other code has read, so that later rows have the right line numbers. */
  passOver(lines: number): void {
    this.#line += lines;
  }

  /** Parses text. Returns the rows that it completes. */
  push(text: string): Row[] {
    const end = this.#open?.endIn(text) ?? 0;
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

  /** Ends the input. Returns the last row, if it has no line end. */
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
    const open = new OpenRow(line, this.#codes);
    open.endIn(text);
    return [new Row([], line, text, 0, text.length, { fault: 'open', quoteLine: open.quoteLine })];
  }

  /**
   * Finds the next quote or escape; up to it, a row can be split at its delimiters. Returns -1 if there is
   * none.
   */
  #nextSpecial(all: string, from: number): number {
    const quote = this.#quote === NONE ? -1 : all.indexOf(this.#dialect.quote, from);
    if (this.#escape === NONE) return quote;
    const mark = all.indexOf(this.#dialect.escape, from);
    return quote < 0 || (mark >= 0 && mark < quote) ? mark : quote;
  }

  #isComment(all: string, at: number): boolean {
    return this.#comment !== '' && all.startsWith(this.#comment, at);
  }

  /** Parses a row that ends at `newline` and can be split at its delimiters. */
  #plainRow(all: string, at: number, newline: number): Row {
    const end = newline > at && all.charCodeAt(newline - 1) === RETURN ? newline - 1 : newline;
    const cells = end === at ? [] : all.slice(at, end).split(this.#dialect.delimiter);
    if (this.#dialect.escape !== '')
      for (const [i, cell] of cells.entries()) cells[i] = this.#plainCell(cell);
    return new Row(cells, this.#line, all, at, newline + 1);
  }

  /** Parses a row with quotes or escapes. Returns undefined if its end has not arrived yet. */
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

  /**
   * Finds the quote that closes the one at `open`; -1 if there is none. A quote at the end of the text may be
   * half of a doubled one.
   */
  #closingQuote(all: string, open: number): number {
    const { quote } = this.#dialect;
    for (let at = this.#nextSpecial(all, open + 1); at >= 0; at = this.#nextSpecial(all, at + 2)) {
      if (at + 1 >= all.length) return -1;
      if (all.charCodeAt(at) === this.#escape) continue;
      if (!all.startsWith(quote, at + 1)) return at;
    }
    return -1;
  }

  /** Finds the end of the unquoted cell at `at`: its delimiter, its newline, or the end of the text. */
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

  /** Returns the row, or a fault in its place if it is too long, whether it came in one piece or in many. */
  #capped(row: Row): Row {
    if (row.length - 1 <= this.#maxRow) return row;
    const open = new OpenRow(row.line, this.#codes);
    open.endIn(row.text);
    return open.tooLong(row.lines);
  }

  /** Keeps text that is less than a row, or drops it if the row is too long. */
  #keep(text: string): Row[] {
    if (this.#isSkipping) {
      this.#line += newlinesIn(text);
      return [];
    }
    this.#rest += text;
    const { length } = this.#rest;
    if (this.#open === undefined && length > Math.min(LARGE, this.#maxRow)) {
      this.#open = new OpenRow(this.#line, this.#codes, this.#isComment(this.#rest, 0));
      this.#open.endIn(this.#rest);
    }
    if (length <= this.#maxRow) return [];
    this.#line += newlinesIn(this.#rest);
    this.#rest = '';
    this.#isSkipping = true;
    return [];
  }

  /**
   * Ends a row that is too long with its last text, which is empty at the end of the input. Returns its
   * fault, or nothing for a comment.
   */
  #skipped(text: string): Row[] {
    const open = this.#open as OpenRow;
    this.#line += newlinesIn(text);
    return open.isComment ? [] : [open.tooLong(this.#line - open.line + (text === '' ? 1 : 0))];
  }
}
