import { isUtf8 } from 'node:buffer';
import { checksumOf, hashMember, hashText } from '../core/checksum.ts';
import { CsvParser, ROW_FAULTS, type Row } from '../core/csv.ts';
import type { BadInput } from '../core/lines.ts';
import { type ChunkDecoder, chunkDecoder, REPLACEMENT } from '../core/text.ts';
import { type Columns, columnsFor } from './columns.ts';
import type { Loaded, Loader, ReadOptions } from './loader.ts';
import { type PlainReader, type PlainRows, plainReader } from './plain-rows.ts';

/** CSV, and TSV with another delimiter: a header, then a record a row. Values stay strings. */
export function delimited(delimiter: string): Loader {
  return (bytes, options) => {
    const reader = new RecordReader(options, options.delimiter ?? delimiter);
    return options.takesPlain === undefined ? inRecords(bytes, reader) : inRows(bytes, reader);
  };
}

async function* inRecords(
  bytes: AsyncIterable<Buffer>,
  reader: RecordReader,
): AsyncGenerator<readonly Loaded[]> {
  for await (const chunk of bytes) yield reader.push(chunk);
  yield reader.end();
}

type Batch = readonly Loaded[] | PlainRows;

const NEWLINE = 10;
/** More bytes without a newline are not kept to be looked at again with the next ones: that would never end. */
const LARGE = 64 * 1024;

/** What is plain as bytes, whole rows of it, and all else as records. */
async function* inRows(bytes: AsyncIterable<Buffer>, reader: RecordReader): AsyncGenerator<Batch> {
  let kept: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const all = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const newline = all.lastIndexOf(NEWLINE);
    const cut = newline < 0 && all.length > LARGE ? all.length : newline + 1;
    yield* reader.pushRows(all.subarray(0, cut));
    kept = all.subarray(cut);
  }
  yield reader.push(kept);
  yield reader.end();
}

/** So many plain rows are worth to leave off making records: each time costs a write. */
const WORTH = 64;

/** Makes records of bytes as they come. */
class RecordReader {
  readonly #options: ReadOptions;
  readonly #delimiter: string;
  readonly #parser: CsvParser;
  readonly #decoder: ChunkDecoder;
  #columns: Columns | undefined;
  #readPlain: PlainReader | undefined;
  /** How many bytes, and then to the end of the line, become records where a row is not plain. */
  #stretch = 0;
  /** Whether there was anything that is no text: rows are then looked at one by one. */
  #isSuspect = false;

  constructor(options: ReadOptions, delimiter: string) {
    this.#options = options;
    this.#delimiter = delimiter;
    this.#parser = new CsvParser({ delimiter, maxRow: options.maxLine });
    this.#decoder = chunkDecoder(options.encoding);
  }

  push(bytes: Buffer): Loaded[] {
    return this.#read(this.#decoder.push(bytes));
  }

  end(): Loaded[] {
    return [...this.#read(this.#decoder.end()), ...this.#toRecords(this.#parser.end())];
  }

  /** @param bytes to the end of a line, but for a line that is very long */
  *pushRows(bytes: Buffer): Generator<Batch> {
    const canBePlain = isUtf8(bytes);
    for (let at = 0; at < bytes.length; ) {
      const rows = canBePlain ? this.#plainRows(bytes.subarray(at)) : undefined;
      if (rows !== undefined) {
        this.#parser.passOver(rows.length);
        yield rows;
        at += rows.end;
        if (at === bytes.length) return;
        if (rows.length >= WORTH) this.#stretch = 0;
      }
      const end = canBePlain ? bytes.indexOf(NEWLINE, at + this.#stretch) + 1 : 0;
      yield this.push(bytes.subarray(at, end || bytes.length));
      at = end || bytes.length;
      this.#stretch = Math.min(LARGE, 2 * this.#stretch + 1024);
    }
  }

  /** @param bytes UTF-8; of UTF-16 no row is plain, as each has a NUL */
  #plainRows(bytes: Buffer): PlainRows | undefined {
    if (this.#columns === undefined || !this.#parser.isBetweenRows) return undefined;
    this.#readPlain ??= plainReader(this.#columns, this.#delimiter, this.#options);
    return this.#readPlain(bytes, this.#parser.line);
  }

  #read(text: string): Loaded[] {
    const { encoding } = this.#options;
    this.#isSuspect ||= !text.isWellFormed() || (encoding !== undefined && text.includes(REPLACEMENT));
    return this.#toRecords(this.#parser.push(text));
  }

  #toRecords(rows: readonly Row[]): Loaded[] {
    const options = this.#options;
    const records: Loaded[] = [];
    for (const row of rows) {
      if (row.cells.length === 0 && row.fault === undefined) continue;
      if (this.#columns === undefined) {
        this.#columns = columnsFor(row, options);
        if (options.header) continue;
      }
      const bad = (this.#isSuspect ? undecoded(row, options) : undefined) ?? faultOf(row, this.#columns);
      if (bad === undefined) records.push(new CsvRecord(row, this.#columns));
      else options.reject({ source: options.source, line: row.line, text: row.text, ...bad });
    }
    return records;
  }
}

type Fault = Pick<BadInput, 'code' | 'message'>;

function undecoded({ text }: Row, { encoding }: ReadOptions): Fault | undefined {
  if (!text.isWellFormed()) return { code: 'UTF8', message: 'not valid UTF-8 (--encoding?)' };
  if (encoding === undefined || !text.includes(REPLACEMENT)) return undefined;
  return { code: 'ENCODING', message: `not valid ${encoding} (--encoding)` };
}

function faultOf({ fault, cells: { length } }: Row, { names }: Columns): Fault | undefined {
  if (fault !== undefined) return { code: fault === 'long' ? 'LONG' : 'CSV', message: ROW_FAULTS[fault] };
  if (length === names.length) return undefined;
  return {
    code: 'CSV',
    message: `${length} ${length === 1 ? 'cell' : 'cells'} where the header has ${names.length}`,
  };
}

/** What makes a cell more than its text between quotes in JSON. */
const ESCAPED = /["\\\u0000-\u001f]/;

class CsvRecord implements Loaded {
  readonly wasTask = false;
  readonly fault = undefined; // what could be wrong is in the header, and told there
  readonly #row: Row;
  readonly #columns: Columns;

  constructor(row: Row, columns: Columns) {
    this.#row = row;
    this.#columns = columns;
  }

  get line(): number {
    return this.#row.line;
  }

  get source(): string {
    return this.#row.text;
  }

  get uuid(): unknown {
    return this.#columns.uuid === undefined ? undefined : this.#row.cells[this.#columns.uuid];
  }

  text(name: string): string | undefined {
    const index = this.#columns.indexes.get(name);
    return index === undefined ? undefined : this.#row.cells[index];
  }

  isMissing(name: string): boolean {
    return !this.text(name);
  }

  isMadeOf(): boolean {
    return false;
  }

  canonical(): string {
    const { sorted } = this.#columns;
    let text = '';
    for (const { index, before } of sorted) text += before + escaped(this.#row.cells[index] as string);
    return sorted.length === 0 ? '{}' : `${text}"}`;
  }

  checksum(): number {
    let sum = 0;
    for (const { index, hash } of this.#columns.compared)
      sum += hashMember(hash, hashText(escaped(this.#row.cells[index] as string)));
    return checksumOf(sum);
  }

  toLine(uuid: string): string {
    // All values are strings, so one piece of text serves from within one to within the next: few pieces are fast.
    let line = `{"uuid":"${escaped(uuid)}`;
    for (const { index, before } of this.#columns.kept) {
      line += before;
      line += escaped(this.#row.cells[index] as string);
    }
    return `${line}"}`;
  }
}

/** What stands between quotes in JSON. */
function escaped(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text).slice(1, -1) : text;
}
