import { writeUuid } from '../../core/ids/index.ts';
import { checksumOf, hashBytes, hashMember, STRING } from '../../core/record/checksum.ts';
import { put, putEscaped, SAME } from './json-cells.ts';
import type { Columns } from './table-columns.ts';

/*
 * Plain rows of delimited text: rows whose cells can be written as JSON from the bytes of the file. Most rows of most
 * files are plain. Making task lines of them takes a third of the time, as no text is decoded, split and encoded
 * again. The parser, which implements all rules, reads the other rows.
 */

/** Places of plain rows at the beginning of a buffer, as a reader found them. */
export interface FoundRows {
  /** Number of rows. */
  readonly length: number;
  /** Buffer of the rows, which are its bytes from 0 to before `end`. */
  readonly bytes: Buffer;
  readonly end: number;
  /** Number of the line of each row. */
  readonly lines: Int32Array;
  /** Number of the line after the last row. */
  readonly nextLine: number;
  /** Start and end of the value of each cell, row by row. */
  readonly cells: Int32Array;
  /** Kind of each cell, as in `json-cells.ts`. Undefined if all are the same bytes in JSON. */
  readonly kinds: Uint8Array | undefined;
  /** Maximum number of bytes by which their JSON text is longer. */
  readonly added: number;
  /** True if there is a quote. */
  readonly hasQuotes: boolean;
  /** Lines of the tasks, if the reader wrote them already. */
  readonly written?: WrittenLines;
}

/** Lines of tasks, complete or without the text of their uuids. */
export interface WrittenLines {
  readonly bytes: Buffer;
  /** By row: end of its line. */
  readonly ends: Int32Array;
  /** By row: checksum of its task. */
  readonly sums: Int32Array;
  /** By row: UUID of version 3 of the only column of `uuidFields`, or of the whole record. Its text is in the line. */
  readonly uuids: DataView | undefined;
}

/** Whole rows, as they are in the file. They are valid until the next ones are read. */
export class PlainRows {
  readonly columns: Columns;
  /** Number of rows. */
  readonly length: number;
  /** Buffer of the rows, which are its bytes from 0 to before `end`. */
  readonly bytes: Buffer;
  readonly end: number;
  /** True if there is a quote. */
  readonly hasQuotes: boolean;
  /** Number of lines that the rows take. */
  readonly lineCount: number;
  /** Number of the line where the last row begins. */
  readonly lastLine: number;
  readonly #found: FoundRows;
  readonly #cells: Int32Array;
  readonly #kinds: Uint8Array | undefined;
  #view: DataView | undefined;

  constructor(columns: Columns, found: FoundRows) {
    this.columns = columns;
    this.length = found.length;
    this.bytes = found.bytes;
    this.end = found.end;
    this.hasQuotes = found.hasQuotes;
    this.lineCount = found.nextLine - (found.lines[0] as number);
    this.lastLine = found.lines[found.length - 1] as number;
    this.#found = found;
    this.#cells = found.cells;
    this.#kinds = found.kinds;
  }

  /** Returns the number of the line where a row begins. */
  lineOf(row: number): number {
    return this.#found.lines[row] as number;
  }

  /** Returns a buffer that is large enough for the lines of all rows, for `writeLine` in the order of the rows. */
  roomForLines(): Buffer {
    const { written } = this.#found;
    if (written !== undefined) return Buffer.from(written.bytes.subarray(0, written.ends[this.length - 1]));
    let most = FIRST.length + UUID_LENGTH + LAST.length;
    for (const { bytes } of this.columns.kept) most += bytes.length;
    return Buffer.allocUnsafe(this.end + this.#found.added + most * this.length);
  }

  /** Writes a row as the line of a task, with its newline. Returns its end. */
  writeLine(row: number, uuid: DataView, to: Buffer, at: number): number {
    const { written } = this.#found;
    if (written !== undefined) return completed(written, row, uuid, to, at);
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
    let room = this.endOf(row, names.length - 1) - this.startOf(row, 0) + this.#found.added + LAST.length;
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
    const { written } = this.#found;
    if (written !== undefined) return written.sums[row] as number;
    this.#view ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    let sum = 0;
    for (const { index, hash } of this.columns.compared) {
      const value =
        this.#kindOf(row, index) === SAME
          ? hashBytes(this.#view, this.startOf(row, index), this.endOf(row, index), STRING)
          : this.#hashEscaped(row, index);
      sum += hashMember(hash, value);
    }
    return checksumOf(sum);
  }

  #hashEscaped(row: number, column: number): number {
    const room = this.endOf(row, column) - this.startOf(row, column) + this.#found.added;
    if (room > scratch.length) {
      scratch = Buffer.alloc(room * 2);
      scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
    }
    return hashBytes(scratchView, 0, this.writeValue(row, column, scratch, 0), STRING);
  }

  /**
   * Returns the UUID of version 3 of the only column of `uuidFields`, or of the whole record, if the reader made it. It is
   * valid until the next call.
   */
  madeUuid(row: number): DataView | undefined {
    const uuids = this.#found.written?.uuids;
    if (uuids === undefined) return undefined;
    for (let i = 0; i < 16; i += 4) made.setInt32(i, uuids.getInt32(16 * row + i));
    return made;
  }

  /** Writes the value of a cell as the text between quotes in JSON. Returns its end. */
  writeValue(row: number, column: number, to: Buffer, at: number): number {
    const kind = this.#kindOf(row, column);
    const from = this.startOf(row, column);
    const before = this.endOf(row, column);
    return kind === SAME
      ? put(this.bytes, from, before, to, at)
      : putEscaped(this.bytes, from, before, to, at, kind);
  }

  /** Writes the value of a cell of `uuidFields` as it is. Returns its end. */
  writeText(row: number, column: number, to: Buffer, at: number): number {
    return put(this.bytes, this.startOf(row, column), this.endOf(row, column), to, at);
  }

  #kindOf(row: number, column: number): number {
    return this.#kinds === undefined
      ? SAME
      : (this.#kinds[row * this.columns.names.length + column] as number);
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

/** UUID that `madeUuid` returned. */
const made: DataView = new DataView(new ArrayBuffer(16));

/** Writes the uuid into a line that is in the buffer, and moves the line to `at` if earlier ones were left out. */
function completed({ ends }: WrittenLines, row: number, uuid: DataView, lines: Buffer, at: number): number {
  const start = row === 0 ? 0 : (ends[row - 1] as number);
  const end = ends[row] as number;
  if (at !== start) lines.copyWithin(at, start, end);
  if (uuid !== made) writeUuid(uuid, lines, at + FIRST.length);
  return at + end - start;
}

let scratch = Buffer.alloc(4096);
let scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
