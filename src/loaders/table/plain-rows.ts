import { writeUuid } from '../../core/ids/index.ts';
import { checksumOf, hashBytes, hashMember, STRING } from '../../core/record/checksum.ts';
import type { Dialect } from '../../core/text/csv.ts';
import type { Columns } from './table-columns.ts';

/*
 * Plain rows of delimited text: their values in JSON are the same bytes as in the file. Most rows of most
 * files are plain. Making task lines of them takes a third of the time, as no text is decoded, split and
 * encoded again. A doubled quote becomes an escaped one in place, as both have two bytes. Other rows are left to the
 * parser, which knows all rules.
 */

/** Whole rows, as they are in the file. They are valid until the next ones are read. */
export class PlainRows {
  readonly columns: Columns;
  /** Number of the line of the first row. Each row is one line. */
  readonly line: number;
  /** Number of rows. */
  readonly length: number;
  /** Buffer of the rows, which are its bytes from 0 to before `end`. */
  readonly bytes: Buffer;
  readonly end: number;
  /** True if a cell is in quotes. */
  readonly hasQuotes: boolean;
  /** Number of the line of the last row. */
  lastLine = 0;
  /** Start and end of the value of each cell, row by row. */
  readonly #cells: Int32Array;
  #view: DataView | undefined;

  constructor(
    columns: Columns,
    line: number,
    length: number,
    bytes: Buffer,
    end: number,
    cells: Int32Array,
    hasQuotes: boolean,
  ) {
    this.hasQuotes = hasQuotes;
    this.columns = columns;
    this.line = line;
    this.length = length;
    this.bytes = bytes;
    this.end = end;
    this.#cells = cells;
  }

  /** Returns a buffer that is large enough for the lines of all rows. */
  roomForLines(): Buffer {
    let most = FIRST.length + UUID_LENGTH + LAST.length;
    for (const { bytes } of this.columns.kept) most += bytes.length;
    return Buffer.allocUnsafe(this.end + most * this.length);
  }

  /** Writes a row as the line of a task, with its newline. Returns its end. */
  writeLine(row: number, uuid: DataView, to: Buffer, at: number): number {
    const { kept } = this.columns;
    let end = put(FIRST, 0, FIRST.length, to, at);
    writeUuid(uuid, to, end);
    end += UUID_LENGTH;
    for (let i = 0; i < kept.length; i++) {
      const { index, bytes } = kept[i] as Columns['kept'][number];
      end = put(bytes, 0, bytes.length, to, end);
      end = this.writeValue(row, index, to, end);
    }
    return put(LAST, 0, LAST.length, to, end);
  }

  /** Returns a size that the canonical text of a row does not exceed. */
  canonicalRoom(row: number): number {
    const { names, sorted } = this.columns;
    let room = this.endOf(row, names.length - 1) - this.startOf(row, 0) + LAST.length;
    for (const { bytes } of sorted) room += bytes.length;
    return room;
  }

  /** Writes a row as canonical JSON text. Returns its end. */
  writeCanonical(row: number, to: Buffer, at: number): number {
    let end = at;
    for (const { index, bytes } of this.columns.sorted) {
      end = put(bytes, 0, bytes.length, to, end);
      end = this.writeValue(row, index, to, end);
    }
    return put(LAST, 0, LAST.length - 1, to, end);
  }

  /** Returns the checksum of the attributes of a row's task: see `Loaded`. */
  checksum(row: number): number {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    let sum = 0;
    for (const { index, hash } of this.columns.compared) {
      const value = hashBytes(this.#view, this.startOf(row, index), this.endOf(row, index), STRING);
      sum += hashMember(hash, value);
    }
    return checksumOf(sum);
  }

  /** Writes the value of a cell. Returns its end. */
  writeValue(row: number, column: number, to: Buffer, at: number): number {
    return put(this.bytes, this.startOf(row, column), this.endOf(row, column), to, at);
  }

  /** Returns the start of the value of a cell. */
  startOf(row: number, column: number): number {
    return this.#cells[2 * (row * this.columns.names.length + column)] as number;
  }

  /** Returns the end of the value of a cell. */
  endOf(row: number, column: number): number {
    return this.#cells[2 * (row * this.columns.names.length + column) + 1] as number;
  }
}

const FIRST = Buffer.from('{"uuid":"');
const UUID_LENGTH = 36;
const LAST = Buffer.from('"}\n');

/** Number of bytes above which a call copies faster than a loop. */
const MANY = 100;

/** Copies bytes. Returns the end of the copy. */
function put(bytes: Buffer, from: number, before: number, to: Buffer, at: number): number {
  if (before - from > MANY) return at + bytes.copy(to, at, from, before);
  let end = at;
  for (let i = from; i < before; i++) to[end++] = bytes[i] as number;
  return end;
}

/**
 * Reader of the plain rows at the beginning of UTF-8 text from line `line` on. Returns undefined if the first
 * is not plain.
 */
export type PlainReader = (bytes: Buffer, line: number) => PlainRows | undefined;

const QUOTE = 34;
const BACKSLASH = 92;
const RETURN = 13;
const NEWLINE = 10;
/** Byte order mark, with which the header of a joined file may begin. */
const MARK = [0xef, 0xbb, 0xbf];

/** Table of bytes: 1 if JSON must escape the byte. */
const escaped: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
escaped[QUOTE] = 1;
escaped[BACKSLASH] = 1;

/** Options of a loader that plain rows depend on. */
export interface PlainOptions {
  readonly maxLine: number;
  readonly comment: string | undefined;
  readonly takesPlain: ((columns: Columns) => boolean) | undefined;
  /** Columns that a uuid is made of: they are read as text, not as JSON. */
  readonly uuidFields: readonly string[];
}

/** Returns the reader of the plain rows of a file. It may change the bytes of these rows. */
export function plainReader(columns: Columns, dialect: Dialect, options: PlainOptions): PlainReader {
  const width = columns.names.length;
  const { maxLine, takesPlain, comment = '' } = options;
  const separator = dialect.delimiter.charCodeAt(0);
  const quote = dialect.quote === '' ? -1 : dialect.quote.charCodeAt(0);
  const escapeMark = dialect.escape === '' ? BACKSLASH : dialect.escape.charCodeAt(0);
  if (separator > 0x7f || quote > 0x7f || escapeMark > 0x7f || takesPlain?.(columns) !== true)
    return () => undefined;
  /** First byte of a line that may be a comment. */
  const mark = comment === '' ? -1 : (Buffer.from(comment)[0] as number);
  /** Tables of bytes that end a cell in quotes, and a cell without them. */
  const stopsInQuotes = escaped.slice();
  stopsInQuotes[escapeMark] = 1;
  if (quote >= 0) stopsInQuotes[quote] = 1;
  const stops = escaped.slice();
  stops[separator] = 1;
  stops[escapeMark] = 1;
  /** By column: 1 if its cells may have doubled quotes, as those of JSON. */
  const canDouble = new Uint8Array(width).fill(dialect.escape === '' && quote === QUOTE ? 1 : 0);
  for (const name of options.uuidFields) canDouble[columns.indexes.get(name) as number] = 0;
  let cells: Int32Array = new Int32Array(4096);
  /** Places of the backslashes that were written into the current row. */
  let written: number[] = [];
  const header = columns.header?.map((name) => Buffer.from(JSON.stringify(name).slice(1, -1))) ?? [];
  const headLength = header[0]?.length ?? -1;
  /** Returns whether the row whose cells begin at `first` is the header again. */
  const isHeader = (bytes: Buffer, first: number): boolean =>
    header.every((name, i) => name.compare(bytes, cells[first + 2 * i], cells[first + 2 * i + 1]) === 0);

  return (bytes, line) => {
    if (bytes.at(-1) !== NEWLINE) return undefined;
    let rows = 0;
    let end = 0;
    let column = 0;
    let cell = 0;
    let firstQuote = bytes.length;
    for (let at = 0; at < bytes.length; at++) {
      if (cell === cells.length) cells = doubled(cells);
      if (bytes[at] === quote) {
        cells[cell] = ++at;
        while (stopsInQuotes[bytes[at] as number] === 0) at++;
        while (bytes[at] === quote && bytes[at + 1] === quote && canDouble[column] === 1) {
          written.push(at);
          bytes[at] = BACKSLASH;
          at += 2;
          while (stopsInQuotes[bytes[at] as number] === 0) at++;
        }
        if (bytes[at] !== quote) break;
        if (at < firstQuote) firstQuote = at;
        cells[cell + 1] = at++;
      } else {
        cells[cell] = at;
        if (bytes[at] === mark && at === end) break;
        while (stops[bytes[at] as number] === 0) at++;
        if (at === end && bytes[at] !== separator) break; // a blank line is not a row
        cells[cell + 1] = at;
      }
      cell += 2;
      column++;
      if (bytes[at] === separator) continue;
      if (bytes[at] === RETURN) at++;
      if (bytes[at] !== NEWLINE || column !== width || at - end > maxLine) break;
      const first = cell - 2 * width;
      if ((cells[first + 1] as number) - (cells[first] as number) === headLength && isHeader(bytes, first))
        break;
      if (bytes[end] === MARK[0] && bytes[end + 1] === MARK[1] && bytes[end + 2] === MARK[2]) break;
      column = 0;
      rows++;
      end = at + 1;
      if (written.length > 0) written = [];
    }
    for (const at of written) bytes[at] = quote; // the last row is not plain
    written = [];
    return rows === 0 ? undefined : new PlainRows(columns, line, rows, bytes, end, cells, firstQuote < end);
  };
}

function doubled(array: Int32Array): Int32Array {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}
