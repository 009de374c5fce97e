import type { PostgresSession } from './contract.ts';

/** Default table. */
export const TABLE = 'tasks';

/** Comment on the tables that task-save makes. In such a table, the column `state` is `run.state`. */
export const SIGN = 'by task-save';

/** Comments on the columns that task-save adds for values that no other column holds; see `core/record/run-columns.ts`. */
export const SIDE_COMMENTS = {
  exact: 'exact values, by task-save',
  others: 'other values, by task-save',
} as const;

/** Column of a table with whole records (`--jsonb`). */
export const RECORD = 'record';

/** A column as the database declares it. */
export interface DeclaredColumn {
  readonly name: string;
  /** Name of its type, as in `int4`; for a domain, its base type. */
  readonly type: string;
  /** Category of the type in `pg_type`, as `N` for numbers and `A` for arrays. */
  readonly category: string;
  readonly comment: string | undefined;
  /** Base type of its domain; undefined if its type is not a domain. */
  readonly baseType: string | undefined;
  /** SQL of its default: its own, that of its domain, or the next value of its identity. */
  readonly fallback: string | undefined;
  /** True if the database computes it. */
  readonly isGenerated: boolean;
}

/** A table, as the database declares it. */
export interface DeclaredTable {
  readonly oid: string;
  /** Kind in `pg_class`: `r` for a table, `p` for a partitioned one, `v` for a view. */
  readonly kind: string;
  readonly isOurs: boolean;
  readonly columns: readonly DeclaredColumn[];
}

/** Returns a name quoted for SQL. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Returns text quoted for SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Returns the name of a table for SQL. `shop.items` is the table `items` of the schema `shop`; names with a dot stand
 * in double quotes.
 */
export function tableName(typed: string): string {
  const [, schema, table] = /^([^".]+|"(?:[^"]|"")+")\.([^".]+|"(?:[^"]|"")+")$/.exec(typed) ?? [];
  const part = (text: string): string => (text.startsWith('"') ? text : sqlName(text));
  if (schema !== undefined && table !== undefined) return `${part(schema)}.${part(table)}`;
  return /^"(?:[^"]|"")+"$/.test(typed) ? typed : sqlName(typed);
}

const COLUMNS = `
  select a.attname, t.typname, t.typcategory, col_description(a.attrelid, a.attnum),
    coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(declared.typdefaultbin, 0),
      case when a.attidentity = 'd'
        then format('nextval(%L::regclass)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)) end),
    a.attgenerated <> '' or a.attidentity = 'a',
    case when declared.typtype = 'd' then format_type(t.oid, declared.typtypmod) end
  from pg_attribute a
    join pg_type declared on declared.oid = a.atttypid
    join pg_type t on t.oid = case when declared.typbasetype = 0 then declared.oid else declared.typbasetype end
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
  order by a.attnum`;

/** Returns a table; undefined if there is none. @param name its name for SQL, see `tableName` */
export async function declaredTable(
  { rows }: PostgresSession,
  name: string,
): Promise<DeclaredTable | undefined> {
  const [[oid, kind, comment] = []] = await rows(
    "select oid, relkind, obj_description(oid, 'pg_class') from pg_class where oid = to_regclass($1)",
    [name],
  );
  if (typeof oid !== 'string') return undefined;
  const columns = await rows(COLUMNS, [oid]);
  return {
    oid,
    kind: String(kind),
    isOurs: comment?.includes(SIGN) === true,
    columns: columns.map(([column, type, category, words, fallback, generated, base]) => ({
      name: String(column),
      type: String(type),
      category: String(category),
      comment: words ?? undefined,
      baseType: base ?? undefined,
      fallback: generated === 't' ? undefined : (fallback ?? undefined),
      isGenerated: generated === 't',
    })),
  };
}

/** Returns the tables and views that the user can read without naming their schema. */
export async function visibleTables({ rows }: PostgresSession): Promise<readonly string[]> {
  const found = await rows(
    `select relname from pg_class where relkind in ('r', 'p', 'v', 'm', 'f') and pg_table_is_visible(oid)
       and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema') order by 1 limit 30`,
  );
  return found.map(([name]) => String(name));
}
