import { isUtf8 } from 'node:buffer';
import { CsvParser, type Dialect, type Row } from '../../core/text/csv.ts';
import { type ChunkDecoder, chunkDecoder, REPLACEMENT } from '../../core/text/encoding.ts';
import type { Loaded, Loader, ReadOptions } from '../contract.ts';
import { CsvRecord } from './csv-record.ts';
import { columnsFor } from './header-columns.ts';
import type { PlainRows } from './plain-rows.ts';
import { faultOf, looksJoined, otherDelimiter, type RowReject, undecoded } from './row-faults.ts';
import { type PlainRowReader, rowReader } from './simd-reader.ts';
import type { Columns } from './table-columns.ts';
import { type TableHead, TableStart } from './table-start.ts';
import { TsvDoubts } from './tsv-doubts.ts';

/** Returns a reader of CSV or TSV: a header, then one record per row. Values stay strings. */
export function delimited(format: Dialect): Loader {
  return (bytes, options) => {
    const reader = new RecordReader(options, format);
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
/**
 * Maximum number of bytes without a newline to keep: scanning more of them again with each chunk would take
 * too long.
 */
const LARGE = 64 * 1024;

/** Yields whole plain rows as bytes, and all other rows as records. */
async function* inRows(bytes: AsyncIterable<Buffer>, reader: RecordReader): AsyncGenerator<Batch> {
  let kept: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const all = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const newline = all.lastIndexOf(NEWLINE);
    const cut = newline < 0 && all.length > LARGE ? all.length : newline + 1;
    kept = all.subarray(yield* reader.pushRows(all.subarray(0, cut)));
  }
  yield reader.push(kept);
  yield reader.end();
}

/** Number of plain rows that is worth a switch from records to plain rows: each switch costs a write. */
const WORTH = 64;

/** Converter of chunks of bytes to records. */
class RecordReader {
  readonly #options: ReadOptions;
  readonly #decoder: ChunkDecoder;
  /** Reader of the lines before the first row. */
  readonly #start: TableStart;
  /** Parser of the rows, set when the first one has arrived. */
  #parser: CsvParser | undefined;
  #dialect: Dialect;
  #columns: Columns | undefined;
  /** Reader of plain rows, made when the columns are known; `none` if the rows cannot be plain. */
  #plain: PlainRowReader | 'none' | undefined;
  /** True if the last bytes that it read end inside a row. */
  #isCut = false;
  /**
   * Minimum number of bytes, extended to the end of a line, that become records after a row that is not
   * plain.
   */
  #stretch = 0;
  /** True if some text could not be decoded, so that every row must be checked. */
  #isSuspect = false;
  /** True if a row had a cell in quotes. */
  #hasQuotes = false;
  /** True until the first row after the header was checked. */
  #isFirst = true;
  /** True if a note about a row that may be several was shown. */
  #saidJoined = false;
  #doubts: TsvDoubts | undefined;

  constructor(options: ReadOptions, format: Dialect) {
    this.#options = options;
    this.#decoder = chunkDecoder(options.encoding);
    this.#start = new TableStart(format, options);
    this.#dialect = format;
  }

  push(bytes: Buffer): Loaded[] {
    return this.#read(this.#decoder.push(bytes));
  }

  end(): Loaded[] {
    const records = this.#read(this.#decoder.end());
    if (this.#parser === undefined) records.push(...this.#begin(this.#start.end()));
    return [...records, ...this.#toRecords(this.#parser?.end() ?? [])];
  }

  /**
   * Yields plain rows and records. Returns the end of the bytes that it has read: it leaves a row whose end may be in
   * the next chunk.
   * @param bytes up to the end of a line, except for a very long line
   */
  *pushRows(bytes: Buffer): Generator<Batch, number> {
    const canBePlain = isUtf8(bytes);
    for (let at = 0; at < bytes.length; ) {
      const rows = canBePlain ? this.#plainRows(bytes.subarray(at)) : undefined;
      if (rows !== undefined) {
        this.#parser?.passOver(rows.lineCount);
        this.#hasQuotes ||= rows.hasQuotes;
        if (this.#isFirst) this.#lookAtFirst(rows.bytes.toString('utf8', 0, rows.endOf(0, 0)));
        yield rows;
        at += rows.end;
        if (at === bytes.length) return at;
        if (rows.length >= WORTH) this.#stretch = 0;
      }
      if (canBePlain && this.#isCut && bytes.length - at <= LARGE) return at;
      const end = canBePlain ? bytes.indexOf(NEWLINE, at + this.#stretch) + 1 : 0;
      yield this.push(bytes.subarray(at, end || bytes.length));
      at = end || bytes.length;
      this.#stretch = Math.min(LARGE, 2 * this.#stretch + 1024);
    }
    return bytes.length;
  }

  /**
   * Returns the plain rows at the start of `bytes`.
   * @param bytes UTF-8; rows in UTF-16 have NULs and are not plain
   */
  #plainRows(bytes: Buffer): PlainRows | undefined {
    this.#isCut = false;
    if (this.#columns === undefined || !this.#parser?.isBetweenRows) return undefined;
    if (this.#plain === undefined)
      this.#plain = rowReader(this.#columns, this.#dialect, this.#options) ?? 'none';
    if (this.#plain === 'none') return undefined;
    const rows = this.#plain.read(bytes, this.#parser.line);
    this.#isCut = this.#plain.isCut;
    return rows;
  }

  #read(text: string): Loaded[] {
    const { encoding } = this.#options;
    this.#isSuspect ||= !text.isWellFormed() || (encoding !== undefined && text.includes(REPLACEMENT));
    if (this.#parser !== undefined) return this.#toRecords(this.#parser.push(text));
    const table = this.#start.push(text);
    return table === undefined ? [] : this.#begin(table);
  }

  #begin({ dialect, lines, text }: TableHead): Loaded[] {
    const { maxLine, comment, quote, escape: mark } = this.#options;
    this.#dialect = dialect;
    this.#parser = new CsvParser({ ...dialect, maxRow: maxLine, comment });
    this.#parser.passOver(lines);
    if (dialect.isLineBased && quote === undefined && mark === undefined)
      this.#doubts = new TsvDoubts(this.#options);
    return this.#toRecords(this.#parser.push(text));
  }

  #toRecords(rows: readonly Row[]): Loaded[] {
    const options = this.#options;
    const records: Loaded[] = [];
    for (const row of rows) {
      if (row.cells.length === 0 && row.fault === undefined) continue;
      if (this.#columns === undefined) {
        this.#columns = columnsFor(row, this.#dialect, options);
        if (options.header) continue;
      }
      const bad = this.#faultOf(row, this.#columns);
      if (bad === undefined) records.push(new CsvRecord(row, this.#columns));
      else options.reject({ source: options.source, line: row.line, text: row.text, ...bad });
    }
    return records;
  }

  #lookAtFirst(text: string): void {
    this.#isFirst = false;
    const { source, delimiter, info, columns } = this.#options;
    if (this.#columns?.names.length !== 1 || delimiter !== undefined || columns !== undefined) return;
    const wasTold = /[;\t|]/.test(this.#columns.names[0] ?? '');
    const words = wasTold ? undefined : otherDelimiter(text);
    if (words !== undefined) info(`${source}: ${words}`);
  }

  /** Returns the fault of a row; undefined if it has none. May show a note about a valid row. */
  #faultOf(row: Row, { names: { length: width }, header }: Columns): RowReject | undefined {
    const { source, info } = this.#options;
    const { quote, delimiter } = this.#dialect;
    const undecodable = this.#isSuspect ? undecoded(row, this.#options) : undefined;
    if (undecodable !== undefined) return undecodable;
    const fault = faultOf(row, {
      width,
      header,
      dialect: this.#dialect,
      hasQuotes: this.#hasQuotes,
      isFirst: this.#isFirst,
    });
    if (this.#isFirst) this.#lookAtFirst(row.text);
    if (fault !== undefined) return fault;
    this.#doubts?.look(row);
    if (quote === '' || !row.text.includes(quote)) return undefined;
    this.#hasQuotes = true;
    if (this.#saidJoined || !looksJoined(row, width, delimiter)) return undefined;
    this.#saidJoined = true;
    info(
      `${source}:${row.line}: quotes join ${row.lines} lines to this row, and each looks like a row; if quotes are ordinary characters in this file, add --quote none`,
    );
    return undefined;
  }
}
