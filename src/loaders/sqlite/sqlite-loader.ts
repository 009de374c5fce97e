import { isUtf8 } from 'node:buffer';
import { TaskpipeError } from '../../core/base/errors.ts';
import { byEntry, isJson } from '../../core/record/exact-values.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import type { ColumnKind } from '../../core/record/run-columns.ts';
import { type Cell, type Database, identifier, openDatabase } from '../../core/storage/sqlite-database.ts';
import type { Loaded, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { type Column, inexactTable, prepareQuery } from './sqlite-columns.ts';

/** Rows in a batch. */
const BATCH = 500;

/**
 * Reads rows of a SQLite database without writing to it: a column becomes an attribute, unless it is NULL. Rows that
 * `task-save` has saved are the records that they were. Rows are read on demand, and numbered from 1.
 * @throws {TaskpipeError} `IO`, `DATA`, `LOCKED`, `USAGE` if the SQL is wrong
 */
export async function* sqlite(path: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  const database = await openDatabase(path, { readonly: true });
  try {
    const query = options.query ?? (await wholeTable(database, options.table ?? 'tasks'));
    const { statement, columns } = await prepareQuery(database, query, options.rename);
    const inexact = await inexactTable(database, columns);
    if (inexact !== undefined)
      options.note(
        `--query does not select the column exact of ${inexact}: without it, numbers such as 1.10, booleans and null may come back changed`,
      );
    let batch: Loaded[] = [];
    let line = 0;
    for (const row of await statement.rows()) {
      const record = recordOf(row, columns, path, ++line, options);
      if (record !== undefined) batch.push(record);
      if (line % BATCH > 0) continue;
      yield batch;
      batch = [];
    }
    yield batch;
  } finally {
    database.close();
  }
}

async function wholeTable(database: Database, table: string): Promise<string> {
  const rows = await database.all(
    "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite_%' order by name",
  );
  const names = rows.map(([name]) => String(name));
  if (names.includes(table)) return `select * from ${identifier(table)}`;
  const there =
    names.length === 0 ? 'it has none' : `it has ${names.join(', ')}; name one with --table, or say --query`;
  throw new TaskpipeError('USAGE', `${database.path} has no table ${table}: ${there}`);
}

/** Returns a row as a record; undefined if it cannot be one, and is rejected. */
function recordOf(
  row: readonly Cell[],
  columns: readonly Column[],
  path: string,
  line: number,
  options: ReadOptions,
): Loaded | undefined {
  const members = new Map<string, string>();
  const run = new Map<string, string>();
  const exact = exactOf(row, columns);
  for (const [i, column] of columns.entries()) {
    const { name, kind, role, origin, table } = column;
    if (role === 'exact' || role === 'others') continue;
    const json = jsonOf(row[i] as Cell, kind, exact.get(table)?.get(origin ?? ''));
    if (json === NOT_UTF8) {
      const text = (row[i] as Buffer).toString('latin1');
      const message = `the column ${name} is not valid UTF-8`;
      options.reject({ source: path, line, code: 'UTF8', message, text });
      return undefined;
    }
    if (json !== undefined) (role === 'run' ? run : members).set(name, json);
  }
  addOthers(members, row, columns);
  const own = [...members].map(([name, json]) => `${JSON.stringify(name)}:${json}`);
  if (run.has('state')) own.push(runText(run));
  const text = `{${own.join(',')}}`;
  const record = parseRecord(text);
  if (record === undefined || 'code' in record) {
    options.reject({ source: path, line, text, ...(record ?? { code: 'JSON', message: 'not a record' }) });
    return undefined;
  }
  return new JsonLoaded({ ...record, line }, options);
}

/** Returns the members of the columns `exact`, by their tables. */
function exactOf(
  row: readonly Cell[],
  columns: readonly Column[],
): ReadonlyMap<string | null, ReadonlyMap<string, string>> {
  const found = new Map<string | null, ReadonlyMap<string, string>>();
  for (const [i, { role, table }] of columns.entries())
    if (role === 'exact' && row[i] !== null) found.set(table, membersIn(row[i] as Cell));
  return found;
}

/** Adds the attributes that have no column. */
function addOthers(members: Map<string, string>, row: readonly Cell[], columns: readonly Column[]): void {
  for (const [i, { role }] of columns.entries()) {
    if (role !== 'others' || row[i] === null) continue;
    for (const [name, json] of membersIn(row[i] as Cell)) if (!members.has(name)) members.set(name, json);
  }
}

/** Returns the members of a JSON object that is a cell; none if someone has put something else there. */
function membersIn(value: Cell): ReadonlyMap<string, string> {
  const text = Buffer.isBuffer(value) ? value.toString() : '';
  if (!text.startsWith('{') || !isJson(text)) return new Map();
  return new Map(membersOf(text).map(({ key, value, end }) => [key, minify(text.slice(value, end))]));
}

/** Returns the part of the run that a loader needs: that there was one, and the key of its result. */
function runText(run: ReadonlyMap<string, string>): string {
  const as = run.get('result_key');
  return `"run":{"state":${run.get('state')}${as === undefined ? '' : `,"as":${as}`}}`;
}

const NOT_UTF8 = Symbol('not valid UTF-8');

/**
 * Returns a cell as JSON, or undefined for NULL.
 * @param cell text as bytes, and bytes as hexadecimal digits; see `prepareQuery`
 * @param entry the entry for it in the column `exact`
 */
function jsonOf(
  cell: Cell,
  kind: ColumnKind,
  entry: string | undefined,
): string | undefined | typeof NOT_UTF8 {
  if (cell === null) return entry === 'null' ? entry : undefined;
  if (typeof cell === 'string') return JSON.stringify(Buffer.from(cell, 'hex').toString('base64'));
  if (Buffer.isBuffer(cell) && !isUtf8(cell)) return NOT_UTF8;
  const value = Buffer.isBuffer(cell) ? cell.toString() : cell;
  const exact = entry === undefined ? undefined : byEntry(entry, value);
  if (exact !== undefined) return minify(exact);
  if (typeof value === 'string')
    return kind === 'json' && isJson(value) ? minify(value) : JSON.stringify(value);
  if (typeof value === 'number') return numberText(value);
  if (kind === 'boolean' && (value === 0n || value === 1n)) return value === 1n ? 'true' : 'false';
  return String(value);
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value);
  return value < 0 ? '-1e999' : '1e999'; // JSON has no word for infinity; this is read as the same
}
