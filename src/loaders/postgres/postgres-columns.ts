import { TaskpipeError } from '../../core/base/errors.ts';
import type { PostgresSession, ResultField } from '../../core/postgres/contract.ts';
import { RECORD, SIDE_COMMENTS, SIGN } from '../../core/postgres/postgres-table.ts';
import { attributeOf, RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { type CellType, isNested } from './postgres-values.ts';

/** A column of the rows that are read, and its place in a record. */
export interface ReadColumn {
  /** Name of the attribute or of the member of `run`. */
  readonly name: string;
  readonly type: CellType;
  /** `record` is a whole record (`--jsonb`); see `core/record/run-columns.ts` for `exact` and `others`. */
  readonly role: 'attribute' | 'run' | 'exact' | 'others' | 'record';
  /** Name in its table, which is also its key in the column `exact`; undefined if the value is computed. */
  readonly origin: string | undefined;
  /** Id of its table; 0 if the value is computed. */
  readonly table: number;
}

/** A query to read, and its columns. */
export interface PreparedQuery {
  /** Statement that returns each cell as text. */
  readonly sql: string;
  readonly columns: readonly ReadColumn[];
  /** True if its rows lack the column `exact` of a table that has one. */
  readonly isInexact: boolean;
}

/** A column of one of our tables. */
interface OwnColumn {
  readonly name: string;
  readonly comment: string;
}

/** Our tables by id, with their columns by number. */
type OwnTables = ReadonlyMap<number, ReadonlyMap<number, OwnColumn>>;

/**
 * Prepares a query for reading.
 * @param renamed attributes that get another name
 * @throws {TaskpipeError} `USAGE` if its columns cannot be read
 */
export async function prepareRead(
  session: PostgresSession,
  query: string,
  renamed: ReadonlyMap<string, string>,
): Promise<PreparedQuery> {
  const bare = query.replace(/[;\s]+$/, '');
  if (!/^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:select|with|values|table)\b/i.test(bare))
    throw new TaskpipeError('USAGE', `--query must be one SELECT, which only reads; got ${query}`);
  const fields = await session.fields(`select * from (${bare}\n) as q limit 0`);
  if (fields.length === 0) throw new TaskpipeError('USAGE', '--query returns no columns');
  const types = await typesOf(session, fields);
  const own = await ownTables(session, fields);
  const whole = wholeTables(fields, own);
  const columns = fields.map((field) => columnFor(field, fields, types, own, whole));
  checkColumns(columns, renamed);
  const names = fields.map((_, i) => `c${i}`);
  const cells = columns.map(({ type }, i) => (isNested(type) ? `to_json(${names[i]})` : names[i]));
  return {
    sql: `select ${cells.join(', ')} from (${bare}\n) as q (${names.join(', ')})`,
    columns,
    isInexact: lacksExact(columns, own),
  };
}

async function typesOf(
  { rows }: PostgresSession,
  fields: readonly ResultField[],
): Promise<ReadonlyMap<number, CellType>> {
  const ids = [...new Set(fields.map(({ dataTypeID }) => dataTypeID))];
  const found = await rows(
    `select t.oid, t.typname, case when t.typtype = 'c' then 'C' else t.typcategory end, i.typname
       from pg_type t left join pg_type i on i.oid = t.typelem and t.typcategory = 'A' where t.oid = any($1)`,
    [ids],
  );
  return new Map(
    found.map(([oid, name, category, items]) => [
      Number(oid),
      { name: String(name), category: String(category), items: items ?? undefined },
    ]),
  );
}

async function ownTables({ rows }: PostgresSession, fields: readonly ResultField[]): Promise<OwnTables> {
  const ids = [...new Set(fields.map(({ tableID }) => tableID))].filter((id) => id !== 0);
  const found = await rows(
    `select attrelid, attnum, attname, coalesce(col_description(attrelid, attnum), '') from pg_attribute
       where attrelid = any($1) and attnum > 0 and not attisdropped
         and obj_description(attrelid, 'pg_class') like '%' || $2 || '%'`,
    [ids, SIGN],
  );
  const tables = new Map<number, Map<number, OwnColumn>>();
  for (const [oid, number, name, comment] of found) {
    const columns = tables.get(Number(oid)) ?? new Map<number, OwnColumn>();
    columns.set(Number(number), { name: String(name), comment: String(comment) });
    tables.set(Number(oid), columns);
  }
  return tables;
}

/** Returns our tables of which all columns are read: their rows are whole saved records. */
function wholeTables(fields: readonly ResultField[], own: OwnTables): ReadonlySet<number> {
  const isRead = (table: number, number: number, { name }: OwnColumn): boolean =>
    fields.some((field) => field.tableID === table && field.columnID === number && field.name === name);
  const whole = [...own].filter(([table, columns]) =>
    [...columns].every(([number, column]) => isRead(table, number, column)),
  );
  return new Set(whole.map(([table]) => table));
}

function columnFor(
  { name, tableID: table, columnID, dataTypeID }: ResultField,
  fields: readonly ResultField[],
  types: ReadonlyMap<number, CellType>,
  own: OwnTables,
  whole: ReadonlySet<number>,
): ReadColumn {
  const type = types.get(dataTypeID) ?? { name: 'text', category: 'S', items: undefined };
  const column = own.get(table)?.get(columnID);
  const common = { type, table, origin: column?.name };
  if (column === undefined || column.name !== name) return { ...common, name, role: 'attribute' };
  const { comment } = column;
  if (comment === SIDE_COMMENTS.exact) return { ...common, name, role: 'exact' };
  if (comment === SIDE_COMMENTS.others) return { ...common, name, role: 'others' };
  if (name === RECORD && type.name === 'jsonb') return { ...common, name, role: 'record' };
  if (Object.hasOwn(RUN_COLUMNS, name))
    return { ...common, name, role: whole.has(table) ? 'run' : 'attribute' };
  const attribute = attributeOf(name);
  // If the query returns both state and state_, each keeps its name, unless the first belongs to the run.
  const isTaken = !whole.has(table) && fields.some((other) => other.name === attribute);
  return { ...common, name: isTaken ? name : attribute, role: 'attribute' };
}

function lacksExact(columns: readonly ReadColumn[], own: OwnTables): boolean {
  return columns.some(({ table, role, name }) => {
    if (role !== 'attribute' || name === 'uuid') return false;
    const all = [...(own.get(table)?.values() ?? [])];
    return (
      all.some(({ comment }) => comment === SIDE_COMMENTS.exact) &&
      !columns.some((other) => other.table === table && other.role === 'exact')
    );
  });
}

/** @throws {TaskpipeError} `USAGE` if a record cannot have these columns */
function checkColumns(columns: readonly ReadColumn[], renamed: ReadonlyMap<string, string>): void {
  const twice = columns.find(
    ({ name, role }, i) => columns.findIndex((other) => other.name === name && other.role === role) < i,
  );
  if (twice !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--query returns two columns named ${twice.name}; give one of them another name with AS, as in "t.${twice.name} as ${twice.name}2"`,
    );
  const areRecords = columns.some(({ role }) => role === 'run');
  const own = ['result', 'run'].find(
    (name) =>
      !renamed.has(name) && columns.some((column) => column.name === name && column.role === 'attribute'),
  );
  if (own !== undefined && !areRecords)
    throw new TaskpipeError(
      'USAGE',
      `a column named ${own} is not read: in a task, ${own} belongs to the executor; say "${own} as old_${own}" in --query, or --rename ${own}=old_${own}`,
    );
}
