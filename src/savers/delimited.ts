import { isUtf8 } from 'node:buffer';
import { CsvParser, ROW_FAULTS, type Row, rowEncoder } from '../core/csv.ts';
import { TaskpipeError } from '../core/errors.ts';
import { runOf, type Task } from '../core/task.ts';
import { Columns, leafPaths } from './columns.ts';
import type { FormatOptions, FoundRow, Misfit, OpenRows, Rows } from './saver.ts';

/** A row that is longer was never one: a quote is open before it. */
const MAX_ROW = 64 * 1024 * 1024;
const BOM = '\xef\xbb\xbf';

/*
 * Existing outputs are read as Latin-1: a character is a byte then, so that places in the text are places in the
 * file; delimiters, quotes and newlines are the same, and cells that matter are decoded.
 */

/** CSV, and TSV with another delimiter. */
export function delimited(delimiter: string): OpenRows {
  return async (head, options) => {
    const header = await readHeader(head, delimiter, options);
    if (header === 'torn') return undefined;
    const names = options.escapeFormulas ? header?.names.map(unescaped) : header?.names;
    return new DelimitedRows(delimiter, header && { ...header, names: names as string[] }, options);
  };
}

interface Header {
  readonly names: readonly string[];
  /** Its bytes. */
  readonly end: number;
  /** Its line end, and so that of the file. */
  readonly newline: '\n' | '\r\n';
}

async function readHeader(
  head: AsyncIterable<Buffer>,
  delimiter: string,
  { path }: FormatOptions,
): Promise<Header | undefined | 'torn'> {
  const parser = new CsvParser({ delimiter, maxRow: MAX_ROW });
  let end = 0;
  let isEmpty = true;
  for await (const chunk of head) {
    let text = chunk.toString('latin1');
    if (isEmpty && text.startsWith(BOM)) {
      text = text.slice(BOM.length);
      end += BOM.length;
    }
    isEmpty = false;
    for (const row of parser.push(text)) {
      end += row.text.length;
      if (row.cells.length > 0 || row.fault !== undefined) return headerOf(row, end, path);
    }
  }
  return isEmpty ? undefined : 'torn';
}

function headerOf(row: Row, end: number, path: string): Header {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${path}:${row.line}: the header ${words}`);
  };
  if (row.fault !== undefined) fail(`is unusable: ${ROW_FAULTS[row.fault]}`);
  if (row.text.includes('\0') || !isUtf8(Buffer.from(row.text, 'latin1'))) fail('is not valid UTF-8');
  const names = row.cells.map(decoded);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) fail(`has two columns named ${JSON.stringify(twice)}`);
  return { names, end, newline: row.text.endsWith('\r\n') ? '\r\n' : '\n' };
}

const NOT_ASCII = /[\x80-\xff]/;

function decoded(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}

function uuidOf(cell: string | undefined): string | undefined {
  return cell !== undefined && NOT_ASCII.test(cell) ? decoded(cell) : cell;
}

class DelimitedRows implements Rows {
  readonly first: number;
  readonly #delimiter: string;
  readonly #options: FormatOptions;
  readonly #newline: string;
  readonly #encodeRow: (cells: readonly string[]) => string;
  #columns: Columns | undefined;
  /** Whether the header is still to be written. */
  #isNew: boolean;

  constructor(delimiter: string, header: Header | undefined, options: FormatOptions) {
    this.#delimiter = delimiter;
    this.#options = options;
    this.#newline = header?.newline ?? '\n';
    this.#encodeRow = rowEncoder(delimiter);
    this.#isNew = header === undefined;
    this.first = header?.end ?? 0;
    const names = header?.names ?? options.fields;
    if (names !== undefined) this.#setColumns(names);
    if (this.lacking.length > 0 && !options.widen) {
      throw new TaskpipeError(
        'USAGE',
        `--fields must be columns of ${options.path}, which has no ${this.lacking.join(', ')}; --widen adds them`,
      );
    }
  }

  get hasUuid(): boolean {
    return this.#columns?.names.includes('uuid') ?? true;
  }

  get lacking(): readonly string[] {
    return this.#options.fields?.filter((name) => !this.#columns?.names.includes(name)) ?? [];
  }

  #setColumns(names: readonly string[]): Columns {
    this.#columns = new Columns(names, this.#options.fields === undefined);
    return this.#columns;
  }

  encode(task: Task): string | Misfit {
    const columns = this.#columns ?? this.#setColumns(this.#columnsOf(task));
    const found = columns.cellsOf(task);
    if ('missing' in found) return misfit(found.missing, columns.names, this.#options.path);
    const row = this.#rowOf(found.cells, columns.names);
    if (row.includes('\0') || !row.isWellFormed()) {
      return {
        code: 'VALUE',
        message: 'a value has a NUL or half of a surrogate pair, which a row of text cannot hold',
        columns: [],
      };
    }
    if (!this.#isNew) return row;
    this.#isNew = false;
    return this.#rowOf(columns.names, columns.names) + row;
  }

  lackedBy(task: Task): readonly string[] {
    const found = this.#columns?.cellsOf(task);
    return found !== undefined && 'missing' in found ? lackingOf(found.missing, this.#columns?.names) : [];
  }

  /** The text of a row. What a task is called by is never changed: it is read back. */
  #rowOf(cells: readonly string[], names: readonly string[]): string {
    const escaped = this.#options.escapeFormulas
      ? cells.map((cell, i) => (names[i] === 'uuid' ? cell : escapeFormula(cell)))
      : cells;
    return this.#encodeRow(escaped) + this.#newline;
  }

  /** The columns of a new output: those of its first record. With `all`, a failure that comes later fits too. */
  #columnsOf({ fields }: Task): readonly string[] {
    const paths = leafPaths(fields);
    if (!this.#options.all || runOf(fields) === undefined) return paths;
    return [...new Set([...paths, 'run.error.code', 'run.error.message'])];
  }

  async *scan(chunks: AsyncIterable<Buffer>, from: number): AsyncGenerator<readonly FoundRow[]> {
    const parser = new CsvParser({ delimiter: this.#delimiter, maxRow: MAX_ROW });
    const width = this.#columns?.names.length ?? 0;
    const uuidAt = this.#columns?.names.indexOf('uuid') ?? -1;
    let end = from;
    const find = (rows: readonly Row[]): FoundRow[] => {
      const found: FoundRow[] = [];
      for (const row of rows) {
        const start = end;
        end += row.text.length;
        if (row.cells.length === 0 && row.fault === undefined && row.text.endsWith('\n')) continue;
        const fault = faultOf(row, width);
        if (fault !== undefined) return [...found, { uuid: undefined, start, end, line: row.line, ...fault }];
        found.push({ uuid: uuidOf(row.cells[uuidAt]), start, end, line: row.line });
      }
      return found;
    };
    for await (const chunk of chunks) {
      const found = find(parser.push(chunk.toString('latin1')));
      yield found;
      if (found.at(-1)?.fault !== undefined) return;
    }
    yield find(parser.end());
  }

  async *widen(columns: readonly string[], chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const parser = new CsvParser({ delimiter: this.#delimiter, maxRow: MAX_ROW });
    const names = [...(this.#columns?.names ?? []), ...columns];
    const added = this.#delimiter.repeat(columns.length);
    let isHeader = true;
    const widened = (row: Row): string => {
      const end = row.text.endsWith('\r\n') ? row.text.length - 2 : row.text.length - 1;
      if (end <= 0) return row.text;
      if (!isHeader) return row.text.slice(0, end) + added + row.text.slice(end);
      isHeader = false;
      return Buffer.from(this.#rowOf(names, names)).toString('latin1');
    };
    for await (const chunk of chunks) {
      const text = parser.push(chunk.toString('latin1')).map(widened).join('');
      yield Buffer.from(text, 'latin1');
    }
    this.#setColumns(names);
  }
}

/** Why a row is not whole, or undefined where it is. */
function faultOf(row: Row, width: number): Pick<Required<FoundRow>, 'fault' | 'isTorn'> | undefined {
  const { text, cells, fault } = row;
  if (text.includes('\0')) return { fault: 'it has a NUL', isTorn: true };
  if (fault !== undefined) return { fault: ROW_FAULTS[fault], isTorn: fault === 'open' };
  if (!text.endsWith('\n')) return { fault: 'it has no line end', isTorn: true };
  if (cells.length !== width) {
    return { fault: `${cells.length} cells where the header has ${width}`, isTorn: false };
  }
  return NOT_ASCII.test(text) && !isUtf8(Buffer.from(text, 'latin1'))
    ? { fault: 'it is not valid UTF-8', isTorn: false }
    : undefined;
}

/** Those that can be added: a column that is there already was filled by another attribute of the same path. */
function lackingOf(missing: readonly string[], names: readonly string[] = []): string[] {
  return missing.filter((name) => !names.includes(name));
}

function misfit(missing: readonly string[], columns: readonly string[], path: string): Misfit {
  const names = missing.map((name) => JSON.stringify(name)).join(', ');
  return {
    code: 'COLUMNS',
    message: `${path} has no column for ${names}; --widen adds columns, --fields leaves attributes out`,
    columns: lackingOf(missing, columns),
  };
}

const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Keeps spreadsheets from running a cell (OWASP, "CSV Injection"). */
function escapeFormula(cell: string): string {
  return FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;
}

/** The name of a column that was escaped. */
function unescaped(name: string): string {
  const bare = name.slice(1);
  return name === `'${bare}` && escapeFormula(bare) === name ? bare : name;
}
