import { CSV, CsvParser, type Dialect, type Row } from '../../core/text/csv.ts';
import { MAX_ROW } from './output-header.ts';

/*
 * Versions before 0.2 wrote TSV with quotes, as CSV with another delimiter. Such an output keeps that
 * dialect: rows of two dialects in one file could not be read back.
 */

/** Bytes at the beginning of an output that are kept for its header. */
const KEPT = 1024 * 1024;
/** Cell that begins with a quote, in text that begins with a row. */
const QUOTED_CELL = /(?:^|[\t\n])"/;

/**
 * Finds the dialect of an output: that of its format, or the one with quotes if fewer of its lines are
 * invalid in that, or if each column name is in quotes.
 * @param bytes bytes of the whole output
 * @returns the dialect, and the bytes from the beginning of the output again
 */
export async function dialectOf(
  bytes: AsyncIterable<Buffer>,
  format: Dialect,
): Promise<{ dialect: Dialect; head: AsyncIterable<Buffer> }> {
  if (!format.isLineBased) return { dialect: format, head: bytes };
  const head: Buffer[] = [];
  let counters: { plain: RowCounter; quoted: RowCounter } | undefined;
  let size = 0;
  let width: number | undefined;
  let line = '';
  for await (const chunk of bytes) {
    if (size < KEPT) head.push(chunk);
    size += chunk.length;
    let text = line + chunk.toString('latin1');
    if (counters === undefined) {
      const newline = text.lastIndexOf('\n');
      if (!QUOTED_CELL.test(text)) {
        // Rows that are the same in both dialects need not be counted.
        if (newline >= 0) width ??= text.slice(0, text.indexOf('\n')).split(format.delimiter).length;
        line = text.slice(newline + 1);
        continue;
      }
      const other = { ...CSV, delimiter: format.delimiter };
      counters = { plain: new RowCounter(format, width), quoted: new RowCounter(other, width) };
    } else text = chunk.toString('latin1');
    counters.plain.push(text);
    counters.quoted.push(text);
  }
  counters?.plain.end();
  counters?.quoted.end();
  const isQuoted = counters?.quoted.isBetterThan(counters.plain);
  return { dialect: isQuoted ? { ...CSV, delimiter: format.delimiter } : format, head: replay(head) };
}

/** Counts the lines of rows that are invalid in a dialect. */
class RowCounter {
  bad = 0;
  readonly #parser: CsvParser;
  #width: number | undefined;
  /** True if the first row has each cell in quotes. */
  #isQuoted = false;

  /** @param width number of cells in a row. Default: that of the first row. */
  constructor(dialect: Dialect, width: number | undefined) {
    this.#parser = new CsvParser({ ...dialect, maxRow: MAX_ROW });
    this.#width = width;
  }

  /**
   * Returns whether more rows are whole in this dialect; or if equally many are, and the other one has quotes in each
   * name.
   */
  isBetterThan(other: RowCounter): boolean {
    return this.bad < other.bad || (this.bad === other.bad && other.#isQuoted);
  }

  push(text: string): void {
    this.#count(this.#parser.push(text));
  }

  end(): void {
    this.#count(this.#parser.end());
  }

  #count(rows: readonly Row[]): void {
    for (const row of rows) {
      const { cells, fault } = row;
      if (cells.length === 0 && fault === undefined) continue;
      if (this.#width === undefined) this.#isQuoted = cells.every((cell) => /^".+"$/.test(cell));
      this.#width ??= cells.length;
      // An unclosed quote includes all lines that follow.
      if (fault !== undefined || cells.length !== this.#width) this.bad += row.lines;
    }
  }
}

async function* replay(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}
