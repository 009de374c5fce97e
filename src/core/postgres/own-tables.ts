import { TaskpipeError } from '../base/errors.ts';
import type { PostgresSession } from './contract.ts';

/** Columns that each of our tables must have, by the name of the table. */
export type TableShapes = Readonly<Record<string, readonly string[]>>;

const FIND = `
  select n.name, c.oid::regclass, current_database(),
    array_to_json(array(
      select u.name from unnest(string_to_array(n.columns, ' ')) u (name) where c.relkind not in ('r', 'p') or not exists (
        select from pg_attribute a where a.attrelid = c.oid and a.attname = u.name and a.attnum > 0
          and not a.attisdropped)))
  from unnest($1::text[], $2::text[]) n (name, columns) join pg_class c on c.oid = to_regclass(n.name)`;

/**
 * Returns whether all of these tables exist, in the schemas of the search path.
 * @throws {TaskpipeError} `DATA` if another program has a table of that name
 */
export async function hasOwnTables({ rows }: PostgresSession, shapes: TableShapes): Promise<boolean> {
  const names = Object.keys(shapes);
  const columns = Object.values(shapes).map((one) => one.join(' '));
  const found = await rows(FIND, [names, columns]);
  for (const [, table, database, text] of found) {
    const [lacking] = JSON.parse(text ?? '[]') as string[];
    if (lacking !== undefined)
      throw new TaskpipeError(
        'DATA',
        `the table ${table} of the database ${database} is not one of taskpipe, as it has no column ${lacking}; rename it, or give the user another schema with: ALTER ROLE … SET search_path`,
      );
  }
  return found.length === names.length;
}
