import { isUtf8 } from 'node:buffer';
import { counted } from '../../core/base/format.ts';
import { runOf, type Task } from '../../core/record/task.ts';
import { RowForm } from '../../core/simd/row-form.ts';
import { CsvParser, type Dialect, ROW_FAULTS, type Row, rowEncoder } from '../../core/text/csv.ts';
import type { FormatOptions, FoundRow, Misfit, OpenRows, Rows } from '../contract.ts';
import { ColumnMapper, type UnusedFields } from './columns.ts';
import type { Field } from './fields.ts';
import { escapeFormula, unescaped } from './formulas.ts';
import { leafPaths } from './leaf-paths.ts';
import { isText, lackingOf, misfit, notText, sharedPath } from './misfits.ts';
import { BOM, decoded, type Header, MAX_ROW, NOT_ASCII, NOT_UTF8, readHeader } from './output-header.ts';
import { dialectOf } from './tsv-quotes.ts';

/** Returns the function that opens rows of CSV or TSV. An existing output keeps its dialect. */
export function delimited(format: Dialect): OpenRows {
  return async (bytes, options) => {
    const { delimiter = format.delimiter } = options;
    const { dialect, head } = await dialectOf(bytes, { ...format, delimiter });
    const header = await readHeader(head, dialect, options, format.delimiter);
    if (header === 'torn') return undefined;
    const names = options.escapeFormulas ? header.names?.map(unescaped) : header.names;
    return new DelimitedRows(dialect, { ...header, names }, options);
  };
}

/** Returns the uuid in a cell, or undefined if the cell is blank. */
function uuidOf(cell = ''): string | undefined {
  const uuid = NOT_ASCII.test(cell) ? decoded(cell) : cell;
  return uuid.trim() === '' ? undefined : uuid;
}

class DelimitedRows implements Rows {
  readonly first: number;
  readonly newline: '\n' | '\r\n';
  readonly #dialect: Dialect;
  readonly #options: FormatOptions;
  /** Number of lines before the first row. */
  readonly #headerLines: number;
  readonly #encodeRow: (cells: readonly string[]) => string;
  /** True if the output had a header before this run. */
  readonly #isOld: boolean;
  /** Fields by the names of their columns. */
  readonly #fields: ReadonlyMap<string, Field> | undefined;
  /** Text before the header: a byte order mark, the line `sep=;`, or both. */
  readonly #preamble: string;
  /** True if the output already has the preamble. */
  readonly #isPreambleThere: boolean;
  #columns: ColumnMapper | undefined;
  /** Form in which a reader may write rows; `none` if it cannot. Undefined until it is asked for. */
  #form: RowForm | 'none' | undefined;
  /** True if the header must still be written. */
  #isNew: boolean;

  constructor(dialect: Dialect, header: Header, options: FormatOptions) {
    this.#dialect = dialect;
    this.#options = options;
    this.newline = header.newline;
    this.#headerLines = header.lines;
    this.#preamble = header.preamble || (header.names === undefined && options.bom ? BOM : '');
    this.#isPreambleThere = header.preamble !== '';
    this.#fields = options.fields && new Map(options.fields.map((field) => [field.name, field]));
    this.#encodeRow = rowEncoder(dialect);
    this.#isNew = header.names === undefined;
    this.#isOld = header.names !== undefined;
    this.first = header.end;
    if (this.#isOld && options.bom && !header.preamble.startsWith(BOM))
      options.info?.(`${options.path} has no byte order mark; --bom is for a new file`);
    const names = header.names ?? options.fields?.map(({ name }) => name);
    if (names !== undefined) this.#setColumns(names);
  }

  get hasUuid(): boolean {
    return this.#columns === undefined || this.#uuidAt >= 0;
  }

  /** Index of the column that holds the uuid, or -1. */
  get #uuidAt(): number {
    return this.#columns?.paths.indexOf('uuid') ?? -1;
  }

  get names(): readonly string[] | undefined {
    return this.#columns?.names;
  }

  get lacking(): readonly string[] {
    const { fields = [] } = this.#options;
    return fields.map(({ name }) => name).filter((name) => !this.#columns?.names.includes(name));
  }

  get unusedFields(): UnusedFields {
    const { names = [], there = [] } = this.#columns?.unusedFields ?? {};
    const asked = new Set(this.#options.fields?.map(({ path }) => path));
    return { names: names.filter((path) => asked.has(path)), there };
  }

  #setColumns(names: readonly string[]): ColumnMapper {
    const fields = this.#fields;
    const paths = names.map((name) => fields?.get(name)?.path ?? name);
    this.#columns = new ColumnMapper(names, fields === undefined, paths);
    this.#form = undefined;
    return this.#columns;
  }

  get form(): RowForm | undefined {
    if (this.#columns === undefined || this.#isNew) return undefined;
    this.#form ??= this.#formOf(this.#columns) ?? 'none';
    return this.#form === 'none' ? undefined : this.#form;
  }

  takes(task: Task): boolean {
    const isMine = task.written?.block.form === this.#form;
    if (isMine) this.#columns?.pass(task);
    return isMine;
  }

  #formOf({ paths, found }: ColumnMapper): RowForm | undefined {
    const { delimiter, isLineBased } = this.#dialect;
    if (isLineBased || this.#options.escapeFormulas) return undefined;
    const isStrict = this.#fields === undefined;
    return RowForm.of({ paths, isStrict, delimiter, newline: this.newline }, found);
  }

  encode(task: Task): string | Misfit {
    const names = this.#columns === undefined ? this.#columnsOf(task) : [];
    if (!names.every(isText)) return notText('the name of an attribute');
    const columns = this.#columns ?? this.#setColumns(names);
    const found = columns.cellsOf(task);
    if ('shared' in found) return sharedPath(found.shared[0] as string);
    if ('missing' in found) return misfit(found.missing, columns.names, this.#options.path);
    const row = this.#rowOf(found.cells);
    if (!isPlain(task.line) && !isText(row)) return notText('a value');
    if (!this.#isNew) return row;
    this.#isNew = false;
    return (this.#isPreambleThere ? '' : this.#preamble) + this.#rowOf(columns.names) + row;
  }

  missingColumns(task: Task): readonly string[] {
    const found = this.#columns?.cellsOf(task);
    return found !== undefined && 'missing' in found ? lackingOf(found.missing, this.#columns?.names) : [];
  }

  lacksResult({ fields }: Task): boolean {
    const run = runOf(fields);
    if (!this.#isOld || run === undefined || this.#options.fields !== undefined) return false;
    const own = ['run', typeof run.as === 'string' ? run.as : 'result'];
    return !this.#columns?.names.some((name) =>
      own.some((key) => name === key || name.startsWith(`${key}.`)),
    );
  }

  /** Returns the text of a row. Never escapes the uuid, because later runs read it. */
  #rowOf(cells: readonly string[]): string {
    if (!this.#options.escapeFormulas) return this.#encodeRow(cells) + this.newline;
    const uuidAt = this.#uuidAt;
    const escaped = cells.map((cell, i) => (i === uuidAt ? cell : escapeFormula(cell)));
    return this.#encodeRow(escaped) + this.newline;
  }

  /**
   * Returns the columns of a new output: those of its first record. With `all`, adds columns for later
   * failures.
   */
  #columnsOf({ line, fields }: Task): readonly string[] {
    const paths = leafPaths(line);
    if (!this.#options.all || runOf(fields) === undefined) return paths;
    return [...new Set([...paths, 'run.error.code', 'run.error.message'])];
  }

  async *scan(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly FoundRow[]> {
    const parser = new CsvParser({ ...this.#dialect, maxRow: MAX_ROW });
    parser.passOver(this.#headerLines);
    const names = this.#columns?.names ?? [];
    const width = names.length;
    const uuidAt = this.#uuidAt;
    let end = this.first;
    const find = (rows: readonly Row[]): FoundRow[] => {
      const found: FoundRow[] = [];
      for (const row of rows) {
        const start = end;
        end += row.text.length;
        const isOpen = !row.text.endsWith('\n');
        if (row.cells.length === 0 && row.fault === undefined && !isOpen) continue;
        const place = { start, end, line: row.line };
        const fault = faultOf(row, width, isOpen);
        if (fault !== undefined) return [...found, { uuid: undefined, ...place, ...fault }];
        const uuid = uuidOf(row.cells[uuidAt]);
        if (uuid !== undefined && uuid === names[uuidAt] && isHeader(row, names)) {
          if (isOpen) return [...found, { uuid: undefined, ...place, fault: 'it is the header again' }];
          this.#options.info?.(`${this.#options.path}:${row.line}: the header again, which is not a row`);
          continue;
        }
        found.push(isOpen ? { uuid, ...place, isOpen } : { uuid, ...place });
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
    const parser = new CsvParser({ ...this.#dialect, maxRow: MAX_ROW });
    const names = [...(this.#columns?.names ?? []), ...columns];
    const added = this.#dialect.delimiter.repeat(columns.length);
    let isHeader = true;
    const widened = (row: Row): string => {
      const end = row.text.endsWith('\r\n') ? row.text.length - 2 : row.text.length - 1;
      if (end <= 0) return row.text;
      if (!isHeader) return row.text.slice(0, end) + added + row.text.slice(end);
      isHeader = false;
      return Buffer.from(this.#rowOf(names)).toString('latin1');
    };
    let preamble = this.#isNew ? 0 : Buffer.byteLength(this.#preamble);
    for await (const chunk of chunks) {
      const kept = chunk.subarray(0, preamble);
      preamble -= kept.length;
      const rows = parser.push(chunk.subarray(kept.length).toString('latin1'));
      yield Buffer.concat([kept, Buffer.from(rows.map(widened).join(''), 'latin1')]);
    }
    this.#setColumns(names);
  }
}

/** Returns true if a row has the cells of the header, as if files were joined. */
function isHeader({ cells }: Row, names: readonly string[]): boolean {
  return names.every((name, i) => name === decoded(cells[i] ?? ''));
}

/** Returns the fault of a row, or undefined if it is valid. */
function faultOf(row: Row, width: number, isOpen: boolean): Pick<FoundRow, 'fault' | 'damage'> | undefined {
  if (row.text.includes('\0')) return { fault: 'it has a NUL', damage: 'nul' };
  const fault = wordsOf(row, width);
  if (fault === undefined) return undefined;
  if (row.fault === 'open') return { fault, damage: 'quote' };
  // A row over the limit has no text.
  return isOpen && row.fault !== 'long' ? { fault, damage: 'open' } : { fault };
}

function wordsOf({ text, cells, fault }: Row, width: number): string | undefined {
  if (fault !== undefined) return ROW_FAULTS[fault];
  if (cells.length !== width) return `${counted(cells.length, 'cell')}, the header has ${width}`;
  return NOT_ASCII.test(text) && !isUtf8(Buffer.from(text, 'latin1')) ? NOT_UTF8 : undefined;
}

/**
 * Returns true if a JSON line is certain to have only text: in JSON, a NUL is always escaped. Avoids
 * flattening the row.
 */
function isPlain(line: string): boolean {
  return line.isWellFormed() && !line.includes('\\u');
}
