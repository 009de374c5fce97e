import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { CSV, Row } from '../../core/text/csv.ts';
import type { BadInput } from '../../core/text/lines.ts';
import type { Loaded, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { columnsFor } from '../table/header-columns.ts';
import { refuseOldWorkbook } from './old-workbook.ts';
import { SheetParser, type SheetRow } from './sheet-parser.ts';
import { readWorkbook, type Workbook } from './workbook-parts.ts';
import { ZipParts } from './zip-parts.ts';

/**
 * Reads the rows of a sheet of a workbook (.xlsx). The first row that has a value is the header. A cell without a
 * value does not become an attribute. Memory holds one row, and the strings that cells share.
 * @throws {TaskpipeError} `IO`, `DATA`, `USAGE` if there is no such sheet
 */
export async function* workbook(path: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  await refuseOldWorkbook(path);
  const zip = await ZipParts.open(path);
  try {
    const book = await readWorkbook(zip, path, options.sheet);
    noteSheets(book, path, options);
    const sheet = new SheetParser(`${path}: ${book.part}`, book, options.maxLine);
    const records = new SheetRecords(path, options);
    for await (const piece of zip.text(book.part)) yield records.of(sheet.write(piece));
    sheet.end();
    noteCells(sheet, path, options);
  } finally {
    zip.close();
  }
}

function noteSheets({ sheet, sheets }: Workbook, path: string, { sheet: wanted, info }: ReadOptions): void {
  if (wanted !== undefined || sheets.length < 2) return;
  const others = sheets.filter((name) => name !== sheet).map((name) => JSON.stringify(name));
  info(`${path}: read the sheet ${JSON.stringify(sheet)}; there are also ${others.join(', ')} (--sheet)`);
}

function noteCells({ unstored, hasMerged }: SheetParser, path: string, { info }: ReadOptions): void {
  if (unstored > 0)
    info(
      `${path}: ${counted(unstored, 'formula')} had no stored value and gave no attribute; save the workbook in a spreadsheet program, which computes them`,
    );
  if (hasMerged)
    info(`${path}: cells are merged: only the first of them has the value, the others are empty`);
}

/** Converter of rows of a sheet to records. */
class SheetRecords {
  readonly #path: string;
  readonly #options: ReadOptions;
  /** Options for records that have their new names already. */
  readonly #named: ReadOptions;
  /** Names of the columns as JSON with a colon; undefined before the first row. */
  #keys: readonly string[] | undefined;

  constructor(path: string, options: ReadOptions) {
    this.#path = path;
    this.#options = options;
    this.#named = { ...options, rename: new Map() };
  }

  of(rows: readonly SheetRow[]): readonly Loaded[] {
    const records: Loaded[] = [];
    for (const row of rows) {
      if (row.line <= this.#options.skip) continue;
      if (this.#keys === undefined && this.#begin(row)) continue;
      const record = this.#record(row, this.#keys as readonly string[]);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Takes the names of the columns from the first row. Returns true if it is the header. */
  #begin({ line, cells, isLong }: SheetRow): boolean {
    const { header, columns } = this.#options;
    if (isLong) throw new TaskpipeError('DATA', `${this.#path}:${line}: ${LONG}`);
    const width = header ? cells.length : Math.max(cells.length, columns?.length ?? 0);
    const names = Array.from({ length: width }, (_, i) => plainText(cells[i]));
    const first = new Row(names, line, '', 0, 0);
    this.#keys = columnsFor(first, CSV, this.#options).names.map((name) => `${JSON.stringify(name)}:`);
    return header;
  }

  #record({ line, cells, isLong }: SheetRow, keys: readonly string[]): Loaded | undefined {
    const reject = (code: BadInput['code'], message: string, text: string): undefined => {
      this.#options.reject({ source: this.#path, line, code, message, text });
    };
    if (isLong) return reject('LONG', LONG, '');
    if (cells.length > keys.length) {
      const text = Array.from(cells, (cell) => cell ?? '').join(',');
      const found = `a value in column ${cells.length}, the header has ${counted(keys.length, 'column')}`;
      return reject(
        'CSV',
        `${found}; if the header is in another row: --skip N skips the rows before it`,
        text,
      );
    }
    let text = '';
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i];
      if (cell !== undefined) text += `${text === '' ? '' : ','}${keys[i]}${cell}`;
    }
    const record = parseRecord(`{${text}}`);
    if (record === undefined || 'code' in record)
      return reject(record?.code ?? 'JSON', record?.message ?? 'not a record', text);
    return new JsonLoaded({ ...record, line }, this.#named);
  }
}

const LONG = 'the row is longer than --max-line';

function plainText(cell: string | undefined): string {
  if (cell === undefined) return '';
  return cell.startsWith('"') ? (JSON.parse(cell) as string) : cell;
}
