import type { Dialect } from '../../core/text/csv.ts';
import { escapedBytes, MOST_ADDED, QUOTED, SAME, UNQUOTED } from './json-cells.ts';
import { PlainRows } from './plain-rows.ts';
import type { Columns } from './table-columns.ts';

const QUOTE = 34;
const BACKSLASH = 92;
const RETURN = 13;
const NEWLINE = 10;
/** Byte order mark, with which the header of a joined file may begin. */
const MARK = [0xef, 0xbb, 0xbf];
const NONE = -1;

/** Characters that JSON must escape in a string. */
const ESCAPED = /["\\\u0000-\u001f]/;

/** Options of a loader that plain rows depend on. */
export interface PlainOptions {
  readonly maxLine: number;
  readonly comment: string | undefined;
  readonly takesPlain: ((columns: Columns) => boolean) | undefined;
  /** Columns that a uuid is made of: they are read as text, not as JSON. */
  readonly uuidFields: readonly string[];
}

/** Returns the reader of the plain rows of a file; undefined if its rows cannot be read in this way. */
export function plainReader(
  columns: Columns,
  dialect: Dialect,
  options: PlainOptions,
): PlainReader | undefined {
  const isAscii = [dialect.delimiter, dialect.quote, dialect.escape].every((one) => !(one > '\u007f'));
  return isAscii && options.takesPlain?.(columns) === true
    ? new PlainReader(columns, dialect, options)
    : undefined;
}

/** Returns the cells of the header; undefined for one that JSON escapes, which may match any. Empty without a header. */
export function headerCells({ header = [] }: Columns): readonly (Buffer | undefined)[] {
  return header.map((name) => (ESCAPED.test(name) ? undefined : Buffer.from(name)));
}

/**
 * Reader of the plain rows at the beginning of UTF-8 text. A doubled quote becomes an escaped one in place, as both have
 * two bytes.
 */
export class PlainReader {
  /** True if the bytes of the last call end inside a row, which has a quoted cell of several lines. */
  isCut = false;
  readonly #columns: Columns;
  readonly #width: number;
  readonly #maxLine: number;
  readonly #separator: number;
  readonly #quote: number;
  /** First byte of a line that may be a comment. */
  readonly #comment: number;
  /** Tables of bytes: 1 if the byte may end a cell in quotes, or one without them. */
  readonly #stopsInQuotes: Uint8Array = escapedBytes.slice();
  readonly #stops: Uint8Array = escapedBytes.slice();
  /** True if the dialect is that of RFC 4180, so that cells may have bytes that JSON escapes. */
  readonly #mayEscape: boolean;
  /** By column: 1 if its cells may have doubled quotes. */
  readonly #canDouble: Uint8Array;
  readonly #header: readonly (Buffer | undefined)[];
  /** Length of the first one; -1 if any length may be that of a header. */
  readonly #headLength: number;
  #cells: Int32Array = new Int32Array(4096);
  #kinds: Uint8Array = new Uint8Array(2048);
  #lines: Int32Array = new Int32Array(1024);
  /** Places of the backslashes that were written into the current row. */
  #written: number[] = [];
  #added = 0;
  #firstQuote = 0;
  /** Newlines inside the current row, and the start of its last line. */
  #newlines = 0;
  #lineStart = 0;
  /** True if each line of the current row, so far, could be a row. */
  #looksJoined = false;

  constructor(columns: Columns, dialect: Dialect, { maxLine, comment = '', uuidFields }: PlainOptions) {
    const { delimiter, quote, escape: mark } = dialect;
    this.#columns = columns;
    this.#width = columns.names.length;
    this.#maxLine = maxLine;
    this.#separator = delimiter.charCodeAt(0);
    this.#quote = quote === '' ? NONE : quote.charCodeAt(0);
    this.#comment = comment === '' ? NONE : (Buffer.from(comment)[0] as number);
    this.#mayEscape = mark === '' && this.#quote === QUOTE;
    if (quote !== '') this.#stopsInQuotes[this.#quote] = 1;
    this.#stops[this.#separator] = 1;
    if (mark !== '') {
      this.#stopsInQuotes[mark.charCodeAt(0)] = 1;
      this.#stops[mark.charCodeAt(0)] = 1;
    }
    this.#canDouble = new Uint8Array(this.#width).fill(this.#mayEscape ? 1 : 0);
    for (const name of uuidFields) this.#canDouble[columns.indexes.get(name) as number] = 0;
    this.#header = headerCells(columns);
    this.#headLength = this.#header[0]?.length ?? NONE;
  }

  /**
   * Returns the plain rows from line `line` on; undefined if the first row is not plain. It may change the bytes of the
   * rows.
   */
  read(bytes: Buffer, line: number): PlainRows | undefined {
    this.isCut = false;
    if (bytes.at(-1) !== NEWLINE) return undefined;
    if (this.#added > 0) this.#kinds.fill(SAME);
    this.#added = 0;
    this.#firstQuote = bytes.length;
    let rows = 0;
    let end = 0;
    let nextLine = line;
    for (; end < bytes.length; rows++) {
      if (rows === this.#lines.length) this.#lines = copied(this.#lines, new Int32Array(rows * 2));
      this.#lines[rows] = nextLine;
      const next = this.#row(bytes, end, rows * this.#width);
      if (next < 0) break;
      end = next;
      nextLine += this.#newlines + 1;
      if (this.#written.length > 0) this.#written = [];
    }
    this.#unwrite(bytes, 0); // the last row is not plain
    return rows === 0 ? undefined : this.#found(bytes, rows, end, nextLine);
  }

  #found(bytes: Buffer, length: number, end: number, nextLine: number): PlainRows {
    return new PlainRows(this.#columns, {
      ...{ length, bytes, end, lines: this.#lines, nextLine, cells: this.#cells },
      kinds: this.#added > 0 ? this.#kinds : undefined,
      added: this.#added,
      hasQuotes: this.#firstQuote < end,
    });
  }

  /** Reads a row, whose first cell has the number `first`. Returns the start of the next one, or `NONE`. */
  #row(bytes: Buffer, start: number, first: number): number {
    const quote = this.#quote;
    const separator = this.#separator;
    const last = first + this.#width - 1;
    if (bytes[start] === this.#comment) return NONE;
    let at = start;
    this.#newlines = 0;
    this.#lineStart = start;
    this.#looksJoined = this.#width > 1;
    for (let cell = first; ; cell++) {
      if (2 * cell >= this.#cells.length) this.#grow();
      if (bytes[at] === quote) {
        this.#cells[2 * cell] = at + 1;
        at = this.#quoted(bytes, at + 1, cell, cell - first);
        if (at < 0) return NONE;
        this.#cells[2 * cell + 1] = at++;
      } else {
        this.#cells[2 * cell] = at;
        at = this.#unquoted(bytes, at, cell);
        if (at < 0 || (at === start && bytes[at] !== separator)) return NONE; // a blank line is not a row
        this.#cells[2 * cell + 1] = at;
      }
      if (cell === last) break;
      if (bytes[at++] !== separator) return NONE;
    }
    if (bytes[at] === RETURN) at++;
    return bytes[at] === NEWLINE && this.#isData(bytes, start, at, first) ? at + 1 : NONE;
  }

  /** Returns whether a row is certain not to be too long, a repeated header, or several rows joined by quotes. */
  #isData(bytes: Buffer, start: number, end: number, first: number): boolean {
    if (end - start > this.#maxLine) return false;
    const from = this.#cells[2 * first] as number;
    if (bytes[from] === MARK[0] && bytes[from + 1] === MARK[1] && bytes[from + 2] === MARK[2]) return false;
    if (this.#newlines > 1 && this.#looksJoined && this.#isRowLong(bytes, this.#lineStart, end)) return false;
    const length = (this.#cells[2 * first + 1] as number) - from;
    const isOther = this.#headLength >= 0 && length !== this.#headLength;
    return isOther || this.#header.length === 0 || !this.#isHeader(bytes, 2 * first);
  }

  #isHeader(bytes: Buffer, at: number): boolean {
    const cells = this.#cells;
    return this.#header.every(
      (name, i) => name === undefined || name.compare(bytes, cells[at + 2 * i], cells[at + 2 * i + 1]) === 0,
    );
  }

  /** Returns whether a line has as many separators as a row. */
  #isRowLong(bytes: Buffer, from: number, before: number): boolean {
    let found = 1;
    for (let at = from; at < before; at++) if (bytes[at] === this.#separator) found++;
    return found === this.#width;
  }

  /** Returns the end of the unquoted cell at `from`: its separator or line end; `NONE` if it is not plain. */
  #unquoted(bytes: Buffer, from: number, cell: number): number {
    const stops = this.#stops;
    for (let at = from; ; at++) {
      while (stops[bytes[at] as number] === 0) at++;
      const byte = bytes[at] as number;
      if (byte === this.#separator || byte === NEWLINE) return at;
      if (byte === RETURN && bytes[at + 1] === NEWLINE) return at;
      if (byte === 0 || !this.#mayEscape) return NONE; // UTF-16 has NULs
      if (byte === QUOTE && at < this.#firstQuote) this.#firstQuote = at;
      this.#kinds[cell] = UNQUOTED;
      this.#added += MOST_ADDED;
    }
  }

  /** Returns the place of the closing quote of the cell whose text is at `from`; `NONE` if it is not plain. */
  #quoted(bytes: Buffer, from: number, cell: number, column: number): number {
    const stops = this.#stopsInQuotes;
    const before = this.#written.length;
    if (from < this.#firstQuote) this.#firstQuote = from;
    for (let at = from; ; at++) {
      while (stops[bytes[at] as number] === 0) at++;
      const byte = bytes[at];
      if (byte === this.#quote) {
        if (bytes[at + 1] !== byte) return at;
        if (this.#canDouble[column] === 0) return NONE;
        if (this.#kinds[cell] === SAME) {
          this.#written.push(at);
          bytes[at] = BACKSLASH;
        }
        at++;
        continue;
      }
      this.isCut = at === bytes.length - 1; // V8 becomes slow after an index was out of bounds
      if (this.isCut || byte === 0 || !this.#mayEscape) return NONE;
      if (byte === NEWLINE) this.#newline(bytes, at);
      if (this.#written.length > before) this.#unwrite(bytes, before);
      this.#kinds[cell] = QUOTED;
      this.#added += MOST_ADDED;
    }
  }

  /** Takes a newline inside a row. */
  #newline(bytes: Buffer, at: number): void {
    this.#looksJoined &&= this.#isRowLong(bytes, this.#lineStart, at);
    this.#lineStart = at + 1;
    this.#newlines++;
  }

  #grow(): void {
    this.#cells = copied(this.#cells, new Int32Array(this.#cells.length * 2));
    this.#kinds = copied(this.#kinds, new Uint8Array(this.#kinds.length * 2));
  }

  /** Writes quotes in place of the backslashes from number `from` on. */
  #unwrite(bytes: Buffer, from: number): void {
    for (let i = from; i < this.#written.length; i++) bytes[this.#written[i] as number] = this.#quote;
    this.#written.length = from;
  }
}

function copied<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
