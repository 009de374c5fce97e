import { CsvParser, ROW_FAULTS, type Row } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import type { BadInput } from '../core/lines.ts';
import { decodeText, REPLACEMENT } from '../core/text.ts';
import type { Loaded, Loader, ReadOptions } from './loader.ts';

/** CSV, and TSV with another delimiter: a header, then a record a row. Values stay strings. */
export function delimited(delimiter: string): Loader {
  return async function* (bytes, options) {
    const parser = new CsvParser({ delimiter: options.delimiter ?? delimiter, maxRow: options.maxLine });
    let columns: Columns | undefined;
    /** Whether there was anything that is no text: rows are then looked at one by one. */
    let isSuspect = false;
    const toRecords = (rows: readonly Row[]): Loaded[] => {
      const records: Loaded[] = [];
      for (const row of rows) {
        if (row.cells.length === 0 && row.fault === undefined) continue;
        if (columns === undefined) {
          columns = columnsFor(row, options);
          if (options.header) continue;
        }
        const bad = (isSuspect ? undecoded(row, options) : undefined) ?? faultOf(row, columns);
        if (bad === undefined) records.push(new CsvRecord(row, columns));
        else options.reject({ source: options.source, line: row.line, text: row.text, ...bad });
      }
      return records;
    };
    for await (const text of decodeText(bytes, options.encoding)) {
      isSuspect ||= !text.isWellFormed() || (options.encoding !== undefined && text.includes(REPLACEMENT));
      yield toRecords(parser.push(text));
    }
    yield toRecords(parser.end());
  };
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

/** What all rows of a file share. */
interface Columns {
  readonly names: readonly string[];
  readonly indexes: ReadonlyMap<string, number>;
  /** Where the `uuid` is. */
  readonly uuid: number | undefined;
  /** The columns of a task, in order: where each is, and the JSON text between its value and the one before. */
  readonly kept: readonly { index: number; before: string }[];
}

/** @throws {TaskpipeError} `DATA`, where the header can't be that of tasks */
function columnsFor(first: Row, options: ReadOptions): Columns {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${options.source}:${first.line}: ${words}`);
  };
  if (first.fault !== undefined) fail(`the header is unusable: ${ROW_FAULTS[first.fault]}`);
  if (!first.text.isWellFormed()) fail('the header is not valid UTF-8; name the encoding with --encoding');
  if (options.header) checkHeader(first, options, fail);
  const given =
    options.columns ?? (options.header ? first.cells : first.cells.map((_, i) => `column${i + 1}`));
  if (given.length !== first.cells.length) {
    fail(`--columns must name every column: it names ${given.length}, and the row has ${first.cells.length}`);
  }
  for (const old of options.rename.keys()) {
    if (!given.includes(old))
      fail(`no column ${JSON.stringify(old)} (--rename); there are ${given.join(', ')}`);
  }
  const names = given.map((name) => options.rename.get(name) ?? name);
  const indexes = new Map<string, number>();
  names.forEach((name, i) => {
    if (name.trim() === '') fail(`column ${i + 1} has an empty name; name the columns with --columns`);
    if (indexes.has(name))
      fail(`two columns are named ${JSON.stringify(name)}; name the columns with --columns`);
    if (name === 'run' || name === 'result') {
      fail(
        `a column is named ${JSON.stringify(name)}, which is a task's own; give it another name with --rename ${name}=old_${name}`,
      );
    }
    indexes.set(name, i);
  });
  for (const [name, option] of options.needed) {
    if (!indexes.has(name))
      fail(`no column ${JSON.stringify(name)} (${option}); there are ${names.join(', ')}`);
  }
  const kept = (options.select ?? names).filter((name) => name !== 'uuid');
  return {
    names,
    indexes,
    uuid: indexes.get('uuid'),
    kept: kept.map((name) => ({ index: indexes.get(name) as number, before: `",${JSON.stringify(name)}:"` })),
  };
}

function checkHeader(first: Row, options: ReadOptions, fail: (words: string) => never): void {
  if (/\r./s.test(first.cells.join('\n')))
    fail("lines end in a lone CR; turn them into newlines with: tr '\\r' '\\n'");
  const [only, ...others] = first.cells;
  if (others.length > 0 || options.delimiter !== undefined) return;
  const better = [';', '\t', '|'].find((other) => only?.includes(other));
  if (better !== undefined) {
    options.note(
      `${options.source}: one column, named ${JSON.stringify(only)}; is the delimiter ${JSON.stringify(better)}? (--delimiter)`,
    );
  }
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

  texts(): readonly string[] {
    const { uuid } = this.#columns;
    return uuid === undefined ? this.#row.cells : this.#row.cells.filter((_, i) => i !== uuid);
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
