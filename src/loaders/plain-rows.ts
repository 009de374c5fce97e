import { checksumOf, hashBytes, hashMember, STRING } from '../core/checksum.ts';
import { writeUuid } from '../core/uuid.ts';
import type { Columns } from './columns.ts';
import type { ReadOptions } from './loader.ts';

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
  /** Of each cell, row by row, where its value begins and where it ends. */
  readonly #cells: Int32Array;
  #view: DataView | undefined;

  constructor(columns: Columns, line: number, length: number, bytes: Buffer, end: number, cells: Int32Array) {
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

/** What reads plain rows of a file. */
export function plainReader(columns: Columns, delimiter: string, options: ReadOptions): PlainReader {
  const width = columns.names.length;
  const { maxLine, takesPlain } = options;
  const separator = delimiter.charCodeAt(0);
  if (separator > 0x7f || takesPlain?.(columns) !== true) return () => undefined;
  /** What ends a cell without quotes. */
  const stops = escaped.slice();
  stops[separator] = 1;
  let cells: Int32Array = new Int32Array(4096);

  return (bytes, line) => {
    if (bytes.at(-1) !== NEWLINE) return undefined;
    let rows = 0;
    let end = 0;
    let column = 0;
    let cell = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (cell === cells.length) cells = doubled(cells);
      if (bytes[at] === QUOTE) {
        cells[cell] = ++at;
        while (escaped[bytes[at] as number] === 0) at++;
        if (bytes[at] !== QUOTE) break;
        cells[cell + 1] = at++;
      } else {
        cells[cell] = at;
        while (stops[bytes[at] as number] === 0) at++;
        if (at === end && bytes[at] !== separator) break; // a blank line, which is no row
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
    return rows === 0 ? undefined : new PlainRows(columns, line, rows, bytes, end, cells);
  };
}

function doubled(array: Int32Array): Int32Array {
  const bigger = new Int32Array(array.length * 2);
  bigger.set(array);
  return bigger;
}
