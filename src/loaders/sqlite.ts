import { isUtf8 } from 'node:buffer';
import { messageOf, TaskpipeError } from '../core/errors.ts';
import { minify } from '../core/members.ts';
import { parseRecord } from '../core/ndjson.ts';
import { attributeOf, type ColumnKind, HAS_SIGN, kindOf, RUN_COLUMNS } from '../core/run-columns.ts';
import {
  type Cell,
  type Database,
  identifier,
  openDatabase,
  type ResultColumn,
  type Statement,
} from '../core/sqlite.ts';
import type { Loaded, ReadOptions } from './loader.ts';
import { JsonLoaded } from './objects.ts';

/** How many rows make a batch. */
const BATCH = 500;

/**
 * Reads rows of a SQLite database, which is not written: a column becomes an attribute, and NULL none. Rows that
 * `task-save` has saved are the records they were. Rows come as they are asked for, numbered from 1.
 * @throws {TaskpipeError} `IO`, `DATA`, `USAGE` where the SQL is wrong
 */
export async function* sqlite(path: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  const database = await openDatabase(path, { readonly: true });
  try {
    const query = options.query ?? (await wholeTable(database, options.table ?? 'tasks'));
    const { statement, columns } = await prepare(database, query);
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

/** A column of the rows, and where it goes in a record. */
interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Whether it says something of the run. */
  readonly isOfRun: boolean;
}

/**
 * The statement to read by. It gives the type of each value and, in place of text, its bytes: text that is no UTF-8
 * would end the process inside the library.
 */
async function prepare(
  database: Database,
  query: string,
): Promise<{ statement: Statement; columns: readonly Column[] }> {
  const bare = query.trim().replace(/;+$/, '');
  try {
    const { columns } = await database.prepare(bare);
    if (columns.length === 0)
      throw new TaskpipeError('USAGE', `--query must give rows, as a select does; got ${bare}`);
    const names = columns.map((_, i) => `c${i}`);
    const cells = names.map(
      (name) => `case typeof(${name}) when 'text' then cast(${name} as blob) else ${name} end`,
    );
    const isText = names.map((name) => `(typeof(${name}) = 'text')`);
    const sql = `with q (${names.join(', ')}) as (${bare}\n) select ${cells.join(', ')}, ${isText.join(' || ')} from q`;
    return { statement: await database.prepare(sql), columns: await columnsOf(database, columns) };
  } catch (error) {
    if (error instanceof TaskpipeError) throw error;
    throw new TaskpipeError(
      'USAGE',
      `--query: ${database.path}: ${messageOf(error)}; the statement is ${bare}`,
      {
        cause: error,
      },
    );
  }
}

async function columnsOf(database: Database, results: readonly ResultColumn[]): Promise<readonly Column[]> {
  const columns: Column[] = [];
  for (const { name, table, column, type } of results) {
    const isOurs = column === name && table !== null && (await isOurTable(database, table));
    const isOfRun = isOurs && Object.hasOwn(RUN_COLUMNS, name);
    columns.push({ name: isOurs && !isOfRun ? attributeOf(name) : name, kind: kindOf(type), isOfRun });
  }
  const twice = columns.find(
    ({ name, isOfRun }, i) =>
      columns.findIndex((other) => other.name === name && other.isOfRun === isOfRun) < i,
  );
  if (twice !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--query gives two columns named ${twice.name}; name one otherwise with "as"`,
    );
  return columns;
}

async function isOurTable(database: Database, table: string): Promise<boolean> {
  const rows = await database.all(HAS_SIGN, [table]);
  return rows.length > 0;
}

/** A row as a record; undefined where it is none, which is rejected. */
function recordOf(
  row: readonly Cell[],
  columns: readonly Column[],
  path: string,
  line: number,
  options: ReadOptions,
): Loaded | undefined {
  const members: string[] = [];
  const run = new Map<string, string>();
  const isText = String(row[columns.length]);
  for (const [i, { name, kind, isOfRun }] of columns.entries()) {
    const cell = row[i] as Cell;
    if (cell === null) continue;
    const json = isText[i] === '1' ? textOf(cell as Buffer, kind) : jsonOf(cell, kind);
    if (json === undefined) {
      const text = (cell as Buffer).toString('latin1');
      options.reject({
        source: path,
        line,
        code: 'UTF8',
        message: `the column ${name} is not valid UTF-8`,
        text,
      });
      return undefined;
    }
    if (isOfRun) run.set(name, json);
    else members.push(`${JSON.stringify(name)}:${json}`);
  }
  if (run.has('state')) members.push(runText(run));
  const text = `{${members.join(',')}}`;
  const record = parseRecord(text);
  if (record === undefined || 'code' in record) {
    options.reject({ source: path, line, text, ...(record ?? { code: 'JSON', message: 'no row' }) });
    return undefined;
  }
  return new JsonLoaded({ ...record, line }, options);
}

/** What a loader wants to know of the run: that there was one, and where its result is. */
function runText(run: ReadonlyMap<string, string>): string {
  const as = run.get('result_key');
  return `"run":{"state":${run.get('state')}${as === undefined ? '' : `,"as":${as}`}}`;
}

/** Text as JSON; undefined where it is no UTF-8. */
function textOf(bytes: Buffer, kind: ColumnKind): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  return kind === 'json' && isJson(text) ? minify(text) : JSON.stringify(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Any other value as JSON: bytes in base64. */
function jsonOf(cell: NonNullable<Cell>, kind: ColumnKind): string {
  if (typeof cell === 'bigint') {
    if (kind === 'boolean' && (cell === 0n || cell === 1n)) return cell === 1n ? 'true' : 'false';
    return String(cell);
  }
  if (typeof cell === 'number') return numberText(cell);
  return JSON.stringify(typeof cell === 'string' ? cell : cell.toString('base64'));
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return JSON.stringify(value);
  return value < 0 ? '-1e999' : '1e999'; // JSON has no word for it; this is read as the same
}
