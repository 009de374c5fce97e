import { writeUuid } from '../../core/ids/uuid.ts';
import { checksumOf, hashBytes, hashMember, STRING } from '../../core/record/checksum.ts';
import type { Dialect } from '../../core/text/csv.ts';
import type { Columns } from './table-columns.ts';

/*
 * Rows of delimited text that are plain: their values are in JSON what they are in the file, byte for byte. Most rows of
 * most files are, and lines are made of them in a third of the time, as there is no text to be decoded, cut and encoded
 * again. What is not plain is left to the parser that knows all rules.
 */

/** Whole rows, as they stand in the file. They are good until the next are read. */
export class PlainRows {
  readonly columns: Columns;
  /** The number of the first one's line; each row is one line. */
  readonly line: number;
  /** The number of rows. */
  readonly length: number;
  /** What they are in, from its first byte to before byte `end`. */
  readonly bytes: Buffer;
  readonly end: number;
  /** Whether a cell is in quotes. */
  readonly hasQuotes: boolean;
  /** The number of the line of the last row. */
  lastLine = 0;
  /** Of each cell, row by row, where its value begins and where it ends. */
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

  /** A buffer that the lines of all rows find room in. */
  roomForLines(): Buffer {
    let most = FIRST.length + UUID_LENGTH + LAST.length;
    for (const { bytes } of this.columns.kept) most += bytes.length;
    return Buffer.allocUnsafe(this.end + most * this.length);
  }

  /** Writes a row as the line of a task, with its newline. Returns where it ends. */
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

  /** Returns the checksum of the attributes that the task of a row has: see `Loaded`. */
  checksum(row: number): number {
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    let sum = 0;
    for (const { index, hash } of this.columns.compared) {
      const value = hashBytes(this.#view, this.startOf(row, index), this.endOf(row, index), STRING);
      sum += hashMember(hash, value);
    }
    return checksumOf(sum);
  }

  /** Writes the value of a cell. Returns where it ends. */
  writeValue(row: number, column: number, to: Buffer, at: number): number {
    return put(this.bytes, this.startOf(row, column), this.endOf(row, column), to, at);
  }

  /** Where the value of a cell begins. */
  startOf(row: number, column: number): number {
    return this.#cells[2 * (row * this.columns.names.length + column)] as number;
  }

  /** Where it ends. */
  endOf(row: number, column: number): number {
    return this.#cells[2 * (row * this.columns.names.length + column) + 1] as number;
  }
}

const FIRST = Buffer.from('{"uuid":"');
const UUID_LENGTH = 36;
const LAST = Buffer.from('"}\n');

/** More bytes than these are copied faster by a call. */
const MANY = 100;

/** Copies bytes. Returns where their copy ends. */
function put(bytes: Buffer, from: number, before: number, to: Buffer, at: number): number {
  if (before - from > MANY) return at + bytes.copy(to, at, from, before);
  let end = at;
  for (let i = from; i < before; i++) to[end++] = bytes[i] as number;
  return end;
}

/** Reads the plain rows at the beginning of UTF-8 text that starts at a line; undefined if the first row is not plain. */
export type PlainReader = (bytes: Buffer, line: number) => PlainRows | undefined;

const QUOTE = 34;
const BACKSLASH = 92;
const RETURN = 13;
const NEWLINE = 10;

/** What is written otherwise in JSON. */
const escaped: Uint8Array = new Uint8Array(256).fill(1, 0, 0x20);
escaped[QUOTE] = 1;
escaped[BACKSLASH] = 1;

/** Options of a loader that plain rows depend on. */
export interface PlainOptions {
  readonly maxLine: number;
  readonly comment: string | undefined;
  readonly takesPlain: ((columns: Columns) => boolean) | undefined;
}

/** Returns the reader of the plain rows of a file. */
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
  /** Bytes that end a cell in quotes, and one without. */
  const stopsInQuotes = escaped.slice();
  stopsInQuotes[escapeMark] = 1;
  if (quote >= 0) stopsInQuotes[quote] = 1;
  const stops = escaped.slice();
  stops[separator] = 1;
  stops[escapeMark] = 1;
  let cells: Int32Array = new Int32Array(4096);

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
      column = 0;
      rows++;
      end = at + 1;
    }
    return rows === 0 ? undefined : new PlainRows(columns, line, rows, bytes, end, cells, firstQuote < end);
  };
}

function doubled(array: Int32Array): Int32Array {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}
