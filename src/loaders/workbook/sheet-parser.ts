import { isoDate } from './serial-dates.ts';
import type { Workbook } from './workbook-parts.ts';
import { unescaped, XmlEvents } from './xml-events.ts';

/** A row of a sheet that has at least one value. */
export interface SheetRow {
  /** Number of the row in the sheet, from 1. */
  readonly line: number;
  /** Cells as JSON text, by column; a cell without a value is a hole or undefined. */
  readonly cells: readonly (string | undefined)[];
  /** True if it is longer than the limit: its cells are then incomplete. */
  readonly isLong: boolean;
}

/** Maximum number of columns of a sheet (XFD). */
const MOST_COLUMNS = 16_384;
/** A number as JSON writes it. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Parser of the cells of a sheet. Memory holds one row. */
export class SheetParser {
  readonly #events: XmlEvents;
  readonly #book: Workbook;
  readonly #maxRow: number;
  #rows: SheetRow[] = [];
  #line = 0;
  #cells: (string | undefined)[] = [];
  #length = 0;
  #isLong = false;
  #column = -1;
  #type = '';
  #style = 0;
  #value = '';
  #hasValue = false;
  /** True inside an element whose text is the value. */
  #isText = false;
  #phonetic = 0;
  #hasFormula = false;
  /** True if cells are merged: only the first of them has the value. */
  hasMerged = false;
  /** Number of cells with a formula without a stored value. */
  unstored = 0;

  /** @param maxRow limit of the text of a row, in characters */
  constructor(place: string, book: Workbook, maxRow: number) {
    this.#book = book;
    this.#maxRow = maxRow;
    this.#events = new XmlEvents(place, {
      open: (name, attributes) => this.#open(name, attributes),
      close: (name) => this.#close(name),
      text: (text) => this.#add(text),
    });
  }

  /** Parses the next piece of the sheet. Returns the rows that it completes. */
  write(text: string): readonly SheetRow[] {
    this.#events.write(text);
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }

  end(): void {
    this.#events.end();
  }

  #open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (name === 'c') this.#openCell(attributes);
    else if (name === 'v') this.#isText = true;
    else if (name === 't') this.#isText = this.#phonetic === 0;
    else if (name === 'f') this.#hasFormula = true;
    else if (name === 'row') this.#openRow(attributes);
    else if (name === 'rPh') this.#phonetic++;
    else if (name === 'mergeCell') this.hasMerged = true;
  }

  #openRow({ r }: Readonly<Record<string, string>>): void {
    // Some programs do not write the numbers of rows and cells.
    this.#line = r === undefined ? this.#line + 1 : Number(r) || this.#line + 1;
    this.#cells = [];
    this.#length = 0;
    this.#isLong = false;
    this.#column = -1;
  }

  #openCell({ r, t = 'n', s = '0' }: Readonly<Record<string, string>>): void {
    this.#column = r === undefined ? this.#column + 1 : columnOf(r, this.#column + 1);
    this.#type = t;
    this.#style = Number(s);
    this.#value = '';
    this.#hasValue = false;
    this.#hasFormula = false;
  }

  #close(name: string): void {
    if (name === 'v' || name === 't') {
      this.#hasValue = true;
      this.#isText = false;
    } else if (name === 'c') this.#closeCell();
    else if (name === 'row') this.#closeRow();
    else if (name === 'rPh') this.#phonetic--;
  }

  #add(text: string): void {
    if (!this.#isText || this.#isLong) return;
    this.#value += text;
    this.#length += text.length;
    this.#isLong = this.#length > this.#maxRow;
  }

  #closeCell(): void {
    if (this.#isLong || this.#column >= MOST_COLUMNS) return;
    const json = this.#hasValue ? this.#json() : undefined;
    if (json === undefined) {
      if (this.#hasFormula && this.#type !== 'str') this.unstored++;
      return;
    }
    this.#length += json.length;
    this.#isLong = this.#length > this.#maxRow;
    this.#cells[this.#column] = json;
  }

  #closeRow(): void {
    if (this.#cells.length === 0 && !this.#isLong) return;
    this.#rows.push({ line: this.#line, cells: this.#cells, isLong: this.#isLong });
  }

  /** Returns the value of the cell as JSON; undefined if it is empty. */
  #json(): string | undefined {
    const value = this.#value;
    if (this.#type === 's') return textOf(this.#book.shared[Number(value)] ?? '');
    if (this.#type === 'str' || this.#type === 'inlineStr') return textOf(unescaped(value));
    const bare = value.trim();
    if (bare === '') return undefined;
    if (this.#type === 'b') return bare === '1' || bare === 'true' ? 'true' : 'false';
    if (this.#type === 'e' || this.#type === 'd') return JSON.stringify(bare);
    const kind = this.#book.dates[this.#style];
    const date = kind && isoDate(Number(bare), kind, this.#book.is1904);
    if (date !== undefined) return `"${date}"`;
    return NUMBER.test(bare) ? bare : JSON.stringify(bare);
  }
}

function textOf(text: string): string | undefined {
  return text === '' ? undefined : JSON.stringify(text);
}

/** Returns the index of a column by the name of a cell, such as `AB12`. */
function columnOf(cell: string, next: number): number {
  let index = 0;
  for (let i = 0; i < cell.length; i++) {
    const letter = cell.charCodeAt(i) & ~32;
    if (letter < 65 || letter > 90) break;
    index = index * 26 + letter - 64;
  }
  return index === 0 ? next : index - 1;
}
