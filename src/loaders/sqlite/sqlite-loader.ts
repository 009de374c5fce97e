import { TaskpipeError } from '../../core/base/errors.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { type Database, identifier, openDatabase } from '../../core/storage/sqlite-database.ts';
import type { Loaded, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { inexactTable, prepareQuery } from './sqlite-columns.ts';
import { type NotText, RowReader } from './sqlite-rows.ts';

/** Number of rows in a batch. */
const BATCH = 500;

/**
 * Reads rows of a SQLite database without writing to it. A column becomes an attribute, unless it is NULL. Rows that
 * `task-save` has saved become the same records again. Rows are read on demand and numbered from 1.
 * @throws {TaskpipeError} `IO`, `DATA`, `LOCKED`, `USAGE` if the SQL is invalid
 */
export async function* sqlite(path: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  const database = await openDatabase(path, { readonly: true });
  try {
    const query = options.query ?? (await wholeTable(database, options.table ?? 'tasks'));
    const { statement, columns } = await prepareQuery(database, query, options.rename);
    const inexact = await inexactTable(database, columns);
    if (inexact !== undefined)
      options.info(
        `--query does not select the column exact of ${inexact}: without it, numbers such as 1.10, booleans and null may come back changed`,
      );
    const reader = new RowReader(columns, await encodingOf(database));
    let batch: Loaded[] = [];
    let line = 0;
    for (const row of await statement.rows()) {
      const record = recordOf(reader.read(row), path, ++line, options);
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

/** Returns the encoding of text in a database: `UTF-8`, `UTF-16le` or `UTF-16be`. */
async function encodingOf(database: Database): Promise<string> {
  const [[encoding] = []] = await database.all('pragma encoding');
  return String(encoding);
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

/** Returns a row as a record. Rejects an invalid row and returns undefined. */
function recordOf(
  row: string | NotText,
  path: string,
  line: number,
  options: ReadOptions,
): Loaded | undefined {
  if (typeof row !== 'string') {
    const { column, bytes } = row;
    const message = `the column ${column} is not valid UTF-8`;
    options.reject({ source: path, line, code: 'UTF8', message, text: bytes.toString('latin1') });
    return undefined;
  }
  const record = parseRecord(row);
  if (record === undefined || 'code' in record) {
    options.reject({
      source: path,
      line,
      text: row,
      ...(record ?? { code: 'JSON', message: 'not a record' }),
    });
    return undefined;
  }
  return new JsonLoaded({ ...record, line }, options);
}
