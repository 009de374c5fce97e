/*
 * How a record lies in a table: an attribute is a column of its name, `run` is spread over columns of ours. An
 * attribute that has the name of one of those gets an underscore more: `state` is the run's, `state_` the user's.
 */

/** Columns for what `run` says, and the path of each in a record. */
export const RUN_COLUMNS: Readonly<Record<string, string>> = {
  state: 'run.state',
  attempts: 'run.attempts',
  at: 'run.at',
  ms: 'run.ms',
  error_code: 'run.error.code',
  error_message: 'run.error.message',
  result_key: 'run.as',
};

/** Stands in the declaration of a table of ours: `state` is there the run's, not an attribute. */
export const SIGN = '/* by task-save */';

/** Whether a table, which is the parameter, is one of ours. */
export const HAS_SIGN: string = `select 1 from sqlite_schema where name = ? and instr(sql, '${SIGN}')`;

const OURS: ReadonlySet<string> = new Set(['uuid', ...Object.keys(RUN_COLUMNS)]);

function isOurs(name: string): boolean {
  return OURS.has(name.toLowerCase().replace(/_+$/, ''));
}

/** The column of an attribute. */
export function columnOf(attribute: string): string {
  return isOurs(attribute) ? `${attribute}_` : attribute;
}

/** The attribute of a column that is not one of `RUN_COLUMNS`. */
export function attributeOf(column: string): string {
  return column.endsWith('_') && isOurs(column) ? column.slice(0, -1) : column;
}

/** What a column was made for, by the type that it was declared with. */
export type ColumnKind = 'any' | 'json' | 'boolean';

/** The declared types. They keep SQLite from taking the text `1.10` for a number, as NUMERIC would. */
export const COLUMN_TYPES: Readonly<Record<ColumnKind, string>> = {
  any: '',
  json: ' JSON TEXT',
  boolean: ' BOOLEAN BLOB',
};

/** The kind of a column. A table that somebody else made may have types of its own. */
export function kindOf(type: string | null): ColumnKind {
  if (/^json/i.test(type ?? '')) return 'json';
  return /^bool/i.test(type ?? '') ? 'boolean' : 'any';
}
