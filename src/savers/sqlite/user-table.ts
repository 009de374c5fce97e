import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { HAS_SIGN, keepsValues, kindOf, RUN_COLUMNS, SIGN } from '../../core/record/run-columns.ts';
import { type Database, identifier } from '../../core/storage/sqlite-database.ts';
import { declared, type TableColumn } from './sqlite-cells.ts';

/** A table to save to. */
export interface UserTable {
  /** Writable columns in their order, but `uuid` first. */
  readonly columns: readonly TableColumn[];
  /** Names of generated columns, in lower case. */
  readonly generated: ReadonlySet<string>;
  /** True if task-save made the table. */
  readonly isOurs: boolean;
  /** True if the table was declared STRICT: then no column of ours can be added. */
  readonly isStrict: boolean;
}

/** Returns the writable columns of a table; an empty list if there is no such table. */
export async function columnsOf(database: Database, table: string): Promise<readonly TableColumn[]> {
  const rows = await database.all(
    'select name, type, dflt_value from pragma_table_xinfo(?) where hidden = 0',
    [table],
  );
  return rows.map(([name, type, fallback]) => ({
    name: String(name),
    kind: kindOf(String(type)),
    keeps: keepsValues(String(type)),
    fallback: typeof fallback === 'string' ? expressionOf(fallback) : undefined,
  }));
}

/**
 * Returns a default as an expression: after DEFAULT, SQLite reads `"ok"` and `ok` as text, elsewhere as a
 * column.
 */
function expressionOf(fallback: string): string {
  const quoted = /^"((?:[^"]|"")*)"$/.exec(fallback)?.[1]?.replaceAll('""', '"');
  const isWord = /^[a-z_]\w*$/i.test(fallback) && !/^(?:null|true|false|current_\w+)$/i.test(fallback);
  const text = quoted ?? (isWord ? fallback : undefined);
  return text === undefined ? fallback : `'${text.replaceAll("'", "''")}'`;
}

/**
 * Creates a table if it does not exist, and returns its shape.
 * @throws {TaskpipeError} `DATA` if tasks cannot be saved to the existing table
 */
export async function prepareTable(database: Database, table: string): Promise<UserTable> {
  if ((await columnsOf(database, table)).length === 0) {
    await database.exec(
      `create table if not exists ${identifier(table)} (uuid TEXT NOT NULL PRIMARY KEY ${SIGN})`,
    );
  }
  const columns = await columnsOf(database, table);
  const isOurs = (await database.all(HAS_SIGN, [table])).length > 0;
  const uuid = await checkTable(database, table, columns, isOurs);
  const generated = await database.all('select lower(name) from pragma_table_xinfo(?) where hidden <> 0', [
    table,
  ]);
  const strict = await database.all(
    'select 1 from pragma_table_list where name = ? collate nocase and strict',
    [table],
  );
  return {
    columns: [uuid, ...columns.filter((column) => column !== uuid)],
    generated: new Set(generated.map(([name]) => String(name))),
    isOurs,
    isStrict: strict.length > 0,
  };
}

/** Returns the column `uuid`. @throws {TaskpipeError} `DATA` if tasks cannot be saved to the table */
async function checkTable(
  database: Database,
  table: string,
  columns: readonly TableColumn[],
  isOurs: boolean,
): Promise<TableColumn> {
  const fail = (words: string, repair = ''): never => {
    throw new TaskpipeError(
      'DATA',
      `${database.path}: its table ${table} ${words}; ${repair}name another table with --table`,
    );
  };
  const views = "select 1 from sqlite_schema where type = 'view' and name = ? collate nocase";
  if ((await database.all(views, [table])).length > 0) fail('is a view, which cannot be written');
  const uuid = columns.find(({ name }) => name === 'uuid') ?? fail('has no uuid column');
  if (!(await isUnique(database, table)))
    fail(
      'may have several rows of one uuid, as its column uuid is not a primary key',
      `add an index with: sqlite3 ${quote(database.path)} ${quote(`create unique index ${identifier(`${table}_uuid`)} on ${identifier(table)} (uuid)`)}; or `,
    );
  const own = columns.find(({ name }) => Object.hasOwn(RUN_COLUMNS, name.toLowerCase()));
  if (own !== undefined && !isOurs)
    fail(
      `was not made by task-save, which would use its column ${own.name} for the state of a run`,
      'rename that column, or ',
    );
  return uuid;
}

/** Returns true if a unique index makes sure that each row has its own uuid. */
async function isUnique(database: Database, table: string): Promise<boolean> {
  const rows = await database.all(
    `select 1 from pragma_index_list(?1) as i where i."unique" and not i.partial and
       (select group_concat(name) from pragma_index_info(i.name)) = 'uuid'`,
    [table],
  );
  return rows.length > 0;
}

/**
 * Adds the columns that a table does not have: another task-save may have added some. Call it in a
 * transaction.
 * @returns the columns that the table has then
 */
export async function addColumns(
  database: Database,
  table: string,
  columns: readonly TableColumn[],
): Promise<readonly TableColumn[]> {
  const there = new Set((await columnsOf(database, table)).map(({ name }) => name.toLowerCase()));
  if (there.size === 0)
    throw new TaskpipeError(
      'DATA',
      `cannot write to ${database.path}: its table ${table} was removed during the run`,
    );
  for (const column of columns) {
    if (there.has(column.name.toLowerCase())) continue;
    await database.exec(`alter table ${identifier(table)} add column ${declared(column)}`);
  }
  return columnsOf(database, table);
}

/**
 * Returns the statement that inserts the row of a uuid or replaces its existing row. A failure never replaces
 * a success.
 */
export function upsertInto(table: string, columns: readonly TableColumn[]): string {
  const names = columns.map(({ name }) => identifier(name));
  const set = names.slice(1).map((name) => `${name} = excluded.${name}`);
  const values = columns.map(({ fallback }) => (fallback === undefined ? '?' : `coalesce(?, (${fallback}))`));
  const insert = `insert into ${identifier(table)} (${names.join(', ')}) values (${values.join(', ')})`;
  if (set.length === 0) return `${insert} on conflict (uuid) do nothing`;
  const update = `${insert} on conflict (uuid) do update set ${set.join(', ')}`;
  if (!columns.some(({ name }) => name === 'state')) return update;
  const isGood = (of: string): string => `coalesce(${of}.state, 'SUCCESS') = 'SUCCESS'`;
  return `${update} where ${isGood('excluded')} or not ${isGood(identifier(table))}`;
}
