import { TaskpipeError } from '../../core/errors.ts';
import { HAS_SIGN, kindOf, RUN_COLUMNS, SIGN } from '../../core/run-columns.ts';
import { type Database, identifier } from '../../core/sqlite.ts';
import { type Column, declared } from './cells.ts';

/** The columns of a table, in their order; none where there is no such table. */
export async function columnsOf(database: Database, table: string): Promise<readonly Column[]> {
  const rows = await database.all('select name, type from pragma_table_xinfo(?) where hidden = 0', [table]);
  return rows.map(([name, type]) => ({ name: String(name), kind: kindOf(String(type)) }));
}

/**
 * Makes a table where there is none.
 * @returns its columns, `uuid` first
 * @throws {TaskpipeError} `DATA`, where there is one of another shape
 */
export async function prepareTable(database: Database, table: string): Promise<readonly Column[]> {
  const there = await columnsOf(database, table);
  if (there.length === 0) {
    await database.exec(
      `create table if not exists ${identifier(table)} (uuid TEXT NOT NULL PRIMARY KEY ${SIGN})`,
    );
    return columnsOf(database, table);
  }
  const fail = (words: string): never => {
    throw new TaskpipeError(
      'DATA',
      `${database.path}: its table ${table} ${words}; name another one with --table`,
    );
  };
  const uuid = there.find(({ name }) => name === 'uuid') ?? fail('has no column uuid');
  if (!(await isUnique(database, table)))
    fail('may have several rows of one uuid (its column uuid is no primary key)');
  const own = there.find(({ name }) => Object.hasOwn(RUN_COLUMNS, name));
  if (own !== undefined && (await database.all(HAS_SIGN, [table])).length === 0)
    fail(`was not made by task-save, which would use its column ${own.name} for what a run says`);
  return [uuid, ...there.filter((column) => column !== uuid)];
}

/** Whether a uuid alone tells a row. */
async function isUnique(database: Database, table: string): Promise<boolean> {
  const rows = await database.all(
    `select 1 from pragma_index_list(?1) as i where i."unique" and not i.partial and
       (select group_concat(name) from pragma_index_info(i.name)) = 'uuid'`,
    [table],
  );
  return rows.length > 0;
}

/** Adds those of the columns that a table does not have; somebody else may have added some. To be called in a transaction. */
export async function addColumns(
  database: Database,
  table: string,
  columns: readonly Column[],
): Promise<void> {
  const there = new Set((await columnsOf(database, table)).map(({ name }) => name.toLowerCase()));
  for (const column of columns) {
    if (there.has(column.name.toLowerCase())) continue;
    await database.exec(`alter table ${identifier(table)} add column ${declared(column)}`);
  }
}

/**
 * The statement that gives a uuid its row, or another one in place of the one that it has; but a failure takes no row
 * from a success.
 */
export function upsertInto(table: string, columns: readonly Column[]): string {
  const names = columns.map(({ name }) => identifier(name));
  const set = names.slice(1).map((name) => `${name} = excluded.${name}`);
  const insert = `insert into ${identifier(table)} (${names.join(', ')}) values (${names.map(() => '?').join(', ')})`;
  if (set.length === 0) return `${insert} on conflict (uuid) do nothing`;
  const update = `${insert} on conflict (uuid) do update set ${set.join(', ')}`;
  if (!columns.some(({ name }) => name === 'state')) return update;
  const isGood = (of: string): string => `coalesce(${of}.state, 'SUCCESS') = 'SUCCESS'`;
  return `${update} where ${isGood('excluded')} or not ${isGood(identifier(table))}`;
}
