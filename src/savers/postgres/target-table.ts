import { TaskpipeError } from '../../core/base/errors.ts';
import type { PostgresSession } from '../../core/postgres/contract.ts';
import {
  type DeclaredColumn,
  type DeclaredTable,
  declaredTable,
  RECORD,
  SIDE_COMMENTS,
  SIGN,
  sqlName,
  sqlText,
  tableName,
} from '../../core/postgres/postgres-table.ts';
import { RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { declaredAs, kindOfColumn, type TargetColumn } from './postgres-cells.ts';
import { type UuidCheck, uuidCheckOf } from './uuid-column.ts';

/** A table to save to. */
export interface TargetTable {
  /** Name for SQL. */
  readonly sql: string;
  /** Writable columns in their order, but `uuid` first. */
  readonly columns: readonly TargetColumn[];
  /** Names of columns that the database computes. */
  readonly generated: ReadonlySet<string>;
  /** True if task-save made the table. */
  readonly isOurs: boolean;
  /** True if a row is a whole record in a column of type jsonb. */
  readonly hasRecords: boolean;
  readonly uuidFault: UuidCheck;
}

const CREATE = (sql: string, more: string): string =>
  `create table if not exists ${sql} (uuid text collate "C" not null primary key${more});
   comment on table ${sql} is '${SIGN}'`;

/**
 * Creates a table if it does not exist, and returns its shape.
 * @param typed its name as typed
 * @param hasRecords true if its rows are to be whole records
 * @throws {TaskpipeError} `DATA` or `USAGE` if tasks cannot be saved to the existing table
 */
export async function prepareTarget(
  session: PostgresSession,
  place: string,
  typed: string,
  hasRecords: boolean,
): Promise<TargetTable> {
  const sql = tableName(typed);
  // One process at a time creates it: two at once would fail with a duplicate name.
  await session.rows("select pg_advisory_xact_lock(hashtext('taskpipe ' || $1))", [sql]);
  let table = await declaredTable(session, sql);
  if (table === undefined) {
    await session.exec(CREATE(sql, hasRecords ? `, ${RECORD} jsonb not null` : ''));
    table = (await declaredTable(session, sql)) as DeclaredTable;
  }
  const where = `${place}: its table ${typed}`;
  await checkTable(session, where, sql, table);
  checkForm(where, table, hasRecords);
  return targetOf(sql, table, hasRecords);
}

function targetOf(sql: string, table: DeclaredTable, hasRecords: boolean): TargetTable {
  const columns = columnsFrom(table);
  return {
    sql,
    columns: hasRecords ? columns.filter(({ name }) => name === 'uuid' || name === RECORD) : columns,
    generated: new Set(table.columns.filter(({ isGenerated }) => isGenerated).map(({ name }) => name)),
    isOurs: table.isOurs,
    hasRecords,
    uuidFault: uuidCheckOf(table.columns.find(({ name }) => name === 'uuid')),
  };
}

function columnsFrom({ columns }: DeclaredTable): readonly TargetColumn[] {
  const writable = columns.filter(({ isGenerated }) => !isGenerated);
  const uuidFirst = (name: string): number => (name === 'uuid' ? 0 : 1);
  return writable
    .map((column) => ({
      ...{ name: column.name, kind: kindOfColumn(column) },
      ...{ fallback: column.fallback, stageType: column.baseType },
    }))
    .sort((a, b) => uuidFirst(a.name) - uuidFirst(b.name));
}

/** @throws {TaskpipeError} `DATA` if tasks cannot be saved to the table */
async function checkTable(
  session: PostgresSession,
  where: string,
  sql: string,
  { kind, oid, columns, isOurs }: DeclaredTable,
): Promise<void> {
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${where} ${words}, or name another table with --table`);
  };
  if (kind !== 'r' && kind !== 'p') fail('is a view or a foreign table; name a table');
  if (!columns.some(({ name }) => name === 'uuid'))
    fail(`has no column uuid; add one with: ALTER TABLE ${sql} ADD COLUMN uuid text UNIQUE`);
  const unique = await session.rows(UNIQUE, [oid]);
  if (unique.length === 0)
    fail(`may have several rows of one uuid; add an index with: CREATE UNIQUE INDEX ON ${sql} (uuid)`);
  const own = columns.find(({ name }) => Object.hasOwn(RUN_COLUMNS, name));
  if (own !== undefined && !isOurs)
    fail(
      `was not made by task-save, which would use its column ${own.name} for the state of a run; rename that column`,
    );
}

const UNIQUE = `
  select 1 from pg_index i
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
  where i.indrelid = $1 and i.indisunique and i.indisvalid and i.indimmediate and i.indnkeyatts = 1
    and i.indpred is null and a.attname = 'uuid'`;

/** @throws {TaskpipeError} `USAGE` if the rows of the table have the other form */
function checkForm(where: string, { columns, isOurs }: DeclaredTable, hasRecords: boolean): void {
  const record = columns.find(({ name, type }) => name === RECORD && type === 'jsonb');
  if (hasRecords && record === undefined)
    throw new TaskpipeError(
      'USAGE',
      `${where} has no column ${RECORD} of type jsonb; leave --jsonb out, or name another table with --table`,
    );
  if (!hasRecords && isOurs && record !== undefined && !isAttribute(record))
    throw new TaskpipeError(
      'USAGE',
      `${where} holds whole records; say --jsonb, or name another table with --table`,
    );
}

/** Returns whether a column holds an attribute: we declare those as json, not jsonb. */
function isAttribute({ type }: DeclaredColumn): boolean {
  return type !== 'jsonb';
}

/** Returns the error of a table that another program has removed. */
export function removedTable(sql: string): TaskpipeError {
  return new TaskpipeError('DATA', `the table ${sql} was removed during the run; run the same command again`);
}

/**
 * Adds the columns that a table does not have: another task-save may have added some. Call it in a transaction.
 * @returns the writable columns that the table has then
 */
export async function addTargetColumns(
  session: PostgresSession,
  { sql }: TargetTable,
  columns: readonly TargetColumn[],
): Promise<readonly TargetColumn[]> {
  const before = await declaredTable(session, sql);
  if (before === undefined) throw removedTable(sql);
  const there = new Set(before.columns.map(({ name }) => name));
  const lacking = columns.filter(({ name }) => !there.has(name));
  if (lacking.length > 0) {
    const adds = lacking.map((column) => `add column if not exists ${declaredAs(column)}`);
    await session.exec(`alter table ${sql} ${adds.join(', ')}`);
    for (const { name, kind } of lacking)
      if (kind === 'exact' || kind === 'others')
        await session.exec(`comment on column ${sql}.${sqlName(name)} is ${sqlText(SIDE_COMMENTS[kind])}`);
  }
  return columnsFrom((await declaredTable(session, sql)) as DeclaredTable);
}

/** Temporary table that rows are copied to. */
export const STAGE = 'pg_temp.taskpipe_rows';

/** Returns the statements that make the temporary table for these columns. */
export function makeStage({ sql }: TargetTable, columns: readonly TargetColumn[]): string {
  const cells = columns.map(({ name, stageType }) =>
    // a domain may refuse the NULL that the default of its column replaces
    stageType === undefined ? sqlName(name) : `${sqlName(name)}::${stageType} as ${sqlName(name)}`,
  );
  return `drop table if exists ${STAGE};
    create temporary table taskpipe_rows on commit delete rows as select ${cells.join(', ')} from ${sql} with no data`;
}

/**
 * Returns the statement that moves the rows of the temporary table to the table: it inserts the row of a uuid, or
 * replaces it. A failure never replaces a success. Rows are sorted, so that two processes do not wait for each other.
 * @param written names of the columns that `--fields` chooses
 */
export function upsertFrom(
  { sql, hasRecords }: TargetTable,
  columns: readonly TargetColumn[],
  written: ReadonlySet<string> | undefined,
): string {
  const names = columns.map(({ name }) => sqlName(name));
  const values = columns.map(({ fallback }, i) =>
    fallback === undefined ? `s.${names[i]}` : `coalesce(s.${names[i]}, ${fallback})`,
  );
  const insert = `insert into ${sql} as t (${names.join(', ')}) select ${values.join(', ')} from ${STAGE} s order by s.uuid`;
  const set = columns.slice(1).map((column) => `${sqlName(column.name)} = ${replacement(column, written)}`);
  if (set.length === 0) return `${insert} on conflict (uuid) do nothing`;
  const update = `${insert} on conflict (uuid) do update set ${set.join(', ')}`;
  const hasState = columns.some(({ name }) => name === 'state');
  if (!hasRecords && !hasState) return update;
  const isGood = (of: string): string => `coalesce(${stateIn(of, hasRecords)}, 'SUCCESS') = 'SUCCESS'`;
  return `${update} where ${isGood('excluded')} or not ${isGood('t')}`;
}

/** Returns the SQL of the state of a row. */
export function stateIn(table: string, hasRecords: boolean): string {
  return hasRecords ? `${table}.${RECORD} #>> '{run,state}'` : `${table}.state`;
}

/** Returns the new value of a column. With `--fields`, `exact` and `others` keep the members of columns that are not written. */
function replacement({ name, kind }: TargetColumn, written: ReadonlySet<string> | undefined): string {
  const column = sqlName(name);
  if (written === undefined || (kind !== 'exact' && kind !== 'others')) return `excluded.${column}`;
  const own = [...written].map(sqlText).join(', ');
  const kept = `select key, value from json_each(t.${column}) where key not in (${own})`;
  return `(select json_object_agg(key, value) from (${kept} union all select key, value from json_each(excluded.${column})) as m)`;
}
