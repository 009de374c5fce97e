import { TaskpipeError } from '../../core/base/errors.ts';
import {
  attributeOf,
  type ColumnKind,
  HAS_SIGN,
  kindOf,
  RUN_COLUMNS,
} from '../../core/record/run-columns.ts';
import {
  type Database,
  isSqlError,
  type ResultColumn,
  type Statement,
} from '../../core/storage/sqlite-database.ts';

/** A column of the rows that are read, and its place in a record. */
export interface QueryColumn {
  /** Name of the attribute or of the member of `run`. */
  readonly name: string;
  readonly kind: ColumnKind;
  readonly role: 'attribute' | 'run' | 'exact' | 'others';
  /** Name in its table, which is also its key in the column `exact`; undefined if the value is computed. */
  readonly origin: string | undefined;
  readonly table: string | null;
}

export interface Reading {
  /** Statement that returns text as bytes, and bytes as text in hexadecimal. */
  readonly statement: Statement;
  readonly columns: readonly QueryColumn[];
}

/**
 * Prepares a query for reading. It returns text as bytes, since invalid UTF-8 in text would crash the process inside
 * the library. Bytes are returned as text, to distinguish the two.
 * @param renamed attributes that get another name
 * @throws {TaskpipeError} `USAGE` if the query is not one SELECT, is invalid, or returns columns that cannot be read
 */
export async function prepareQuery(
  database: Database,
  query: string,
  renamed: ReadonlyMap<string, string>,
): Promise<Reading> {
  const bare = withoutEnd(query);
  checkIsSelect(bare);
  try {
    const { columns } = await database.prepare(bare);
    if (columns.length === 0) throw new TaskpipeError('USAGE', `${NOT_A_SELECT}; got ${bare}`);
    const names = columns.map((_, i) => `c${i}`);
    const cells = names.map(
      (name) =>
        `case typeof(${name}) when 'text' then cast(${name} as blob) when 'blob' then hex(${name}) else ${name} end`,
    );
    const sql = `with q (${names.join(', ')}) as (${bare}\n) select ${cells.join(', ')} from q`;
    const statement = await database.prepare(sql);
    return { statement, columns: await columnsOf(database, columns, hasStar(bare), renamed) };
  } catch (error) {
    if (!isSqlError(error)) throw error;
    const { message } = (error as Error).cause as Error;
    throw new TaskpipeError('USAGE', `--query: ${database.path}: ${message}; the statement is ${bare}`, {
      cause: error,
    });
  }
}

const NOT_A_SELECT = '--query must be one SELECT, which only reads';

const PARAMETER = /\?|(?<![\w$])[:@$]\w/;

/** @throws {TaskpipeError} `USAGE` for another statement, several statements, or a parameter */
function checkIsSelect(sql: string): void {
  const bare = masked(sql).trim();
  const fail = (words: string): never => {
    throw new TaskpipeError('USAGE', `${words}; got ${sql === '' ? 'nothing' : sql}`);
  };
  if (!/^(select|with|values)\b/i.test(bare) || bare.includes(';')) fail(NOT_A_SELECT);
  if (PARAMETER.test(bare)) fail('--query has a parameter, which would be NULL: write the value itself');
}

/** Returns a statement without the semicolon, white space and comments after it. */
function withoutEnd(sql: string): string {
  return sql.slice(0, masked(sql).replace(/[;\s]+$/, '').length);
}

/** Returns SQL of the same length, with quoted text replaced by `x` and comments by spaces. */
function masked(sql: string): string {
  return sql.replace(/'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, (found) =>
    (/^(--|\/\*)/.test(found) ? ' ' : 'x').repeat(found.length),
  );
}

/** Returns true if a SELECT takes all columns of a table, by `*` or `t.*`. */
function hasStar(sql: string): boolean {
  return /(?:\bselect(?:\s+(?:distinct|all))?|,|\.)\s*\*/i.test(masked(sql));
}

async function columnsOf(
  database: Database,
  results: readonly ResultColumn[],
  isStarred: boolean,
  renamed: ReadonlyMap<string, string>,
): Promise<readonly QueryColumn[]> {
  const records = isStarred ? await wholeTables(database, results) : new Set<string>();
  const ours = new Set<string>();
  for (const table of new Set(results.map(({ table }) => table)))
    if (table !== null && (await isOurTable(database, table))) ours.add(table);
  const columns = results.map((result) => columnOf(result, results, ours, records));
  checkNames(columns, records.size > 0, renamed);
  return columns;
}

function columnOf(
  { name, table, column, type }: ResultColumn,
  results: readonly ResultColumn[],
  ours: ReadonlySet<string>,
  records: ReadonlySet<string>,
): QueryColumn {
  const kind = kindOf(type);
  const isItself = column === name && table !== null;
  const common = { kind, table, origin: column ?? undefined };
  if (isItself && (kind === 'exact' || kind === 'others')) return { ...common, name, role: kind };
  if (!isItself || !ours.has(table)) return { ...common, name, role: 'attribute' };
  if (Object.hasOwn(RUN_COLUMNS, name))
    return { ...common, name, role: records.has(table) ? 'run' : 'attribute' };
  const attribute = attributeOf(name);
  // If the query returns both state and state_, each keeps its name, unless the first belongs to the run.
  const isTaken = !records.has(table) && results.some((other) => other.name === attribute);
  return { ...common, name: isTaken ? name : attribute, role: 'attribute' };
}

/**
 * Returns a table whose columns are read without its column `exact`: some of their values may differ from the saved
 * ones.
 */
export async function inexactTable(
  database: Database,
  columns: readonly QueryColumn[],
): Promise<string | undefined> {
  const exact = new Set(columns.filter(({ role }) => role === 'exact').map(({ table }) => table));
  const read = columns.filter(({ name, role }) => role === 'attribute' && name !== 'uuid');
  for (const table of new Set(read.map((column) => column.table))) {
    if (table === null || exact.has(table)) continue;
    const types = await database.all('select type from pragma_table_info(?)', [table]);
    if (types.some(([type]) => kindOf(String(type)) === 'exact')) return table;
  }
  return undefined;
}

/** Returns our tables of which all columns are read: their rows are whole saved records. */
async function wholeTables(
  database: Database,
  results: readonly ResultColumn[],
): Promise<ReadonlySet<string>> {
  const whole = new Set<string>();
  for (const table of new Set(results.map((result) => result.table))) {
    if (table === null || !(await isOurTable(database, table))) continue;
    const there = results.filter((result) => result.table === table && result.column === result.name);
    const names = new Set(there.map(({ name }) => name));
    const all = await database.all('select name from pragma_table_info(?)', [table]);
    if (all.every(([name]) => names.has(String(name)))) whole.add(table);
  }
  return whole;
}

async function isOurTable(database: Database, table: string): Promise<boolean> {
  const rows = await database.all(HAS_SIGN, [table]);
  return rows.length > 0;
}

/** @throws {TaskpipeError} `USAGE` if a record cannot have these columns */
function checkNames(
  columns: readonly QueryColumn[],
  areRecords: boolean,
  renamed: ReadonlyMap<string, string>,
): void {
  const twice = columns.find(
    ({ name, role }, i) => columns.findIndex((other) => other.name === name && other.role === role) < i,
  );
  if (twice !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--query returns two columns named ${twice.name}; give one of them another name with AS, as in "t.${twice.name} as ${twice.name}2"`,
    );
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
