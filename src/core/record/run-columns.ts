/*
 * The layout of a record in a table. An attribute has a column of its name; each member of `run` has one of
 * the columns below. An attribute with the name of such a column gets an underscore: the column `state` is
 * `run.state`, and `state_` is the attribute.
 *
 * Two more columns are added when a record needs them, so that every record is read back as it was saved. `exact`
 * holds the values that a cell cannot hold exactly (1.10 in a REAL cell, true in a column of numbers, null). `others`
 * holds the attributes that cannot have a column. Each cell of both is a JSON object.
 */

/** Columns for the members of `run`, and the path of each in a record. */
export const RUN_COLUMNS: Readonly<Record<string, string>> = {
  state: 'run.state',
  attempts: 'run.attempts',
  at: 'run.at',
  ms: 'run.ms',
  error_code: 'run.error.code',
  error_message: 'run.error.message',
  result_key: 'run.as',
};

/**
 * Comment in the declaration of each table that task-save makes. In such a table, `state` is `run.state` and
 * not an attribute.
 */
export const SIGN = '/* by task-save */';

/** Query that returns a row if its parameter is the name of a table that task-save made. */
export const HAS_SIGN: string = `select 1 from sqlite_schema where name = ? collate nocase and instr(sql, '${SIGN}')`;

const OURS: ReadonlySet<string> = new Set(['uuid', ...Object.keys(RUN_COLUMNS)]);

function isOurs(name: string): boolean {
  return OURS.has(name.toLowerCase().replace(/_+$/, ''));
}

export function columnOf(attribute: string): string {
  return isOurs(attribute) ? `${attribute}_` : attribute;
}

/** Returns the attribute of a column that is not one of `RUN_COLUMNS`. */
export function attributeOf(column: string): string {
  return column.endsWith('_') && isOurs(column) ? column.slice(0, -1) : column;
}

/** Kinds of the columns that we declare. Their cells keep values as they are. */
export type OwnKind = 'any' | 'json' | 'boolean' | 'exact' | 'others';

/**
 * Kinds of columns, by their declared type. The last two occur only in tables that another program made:
 * `text`, and `declared` for types with which SQLite converts text to numbers if it can.
 */
export type ColumnKind = OwnKind | 'text' | 'declared';

/** Types that we declare. They keep SQLite from storing the text `1.10` as a number, as NUMERIC would. */
export const COLUMN_TYPES: Readonly<Record<OwnKind, string>> = {
  any: '',
  json: 'JSON TEXT',
  boolean: 'BOOLEAN BLOB',
  exact: 'EXACT JSON TEXT',
  others: 'OTHERS JSON TEXT',
};

const KINDS = Object.entries(COLUMN_TYPES) as readonly (readonly [OwnKind, string])[];

/** Returns the kind of a column. A table that another program made may have other types. */
export function kindOf(type: string | null): ColumnKind {
  const declared = (type ?? '').trim();
  const ours = KINDS.find(([, name]) => name === declared.toUpperCase());
  if (ours !== undefined) return ours[0];
  if (/^json/i.test(declared)) return 'json';
  if (/^bool/i.test(declared)) return 'boolean';
  if (/int/i.test(declared)) return 'declared'; // in the order of SQLite's own rules
  if (/char|clob|text/i.test(declared)) return 'text';
  return /blob/i.test(declared) ? 'any' : 'declared';
}

/** Returns whether a column keeps every value that is bound to it, without the conversions of SQLite's affinities. */
export function keepsValues(type: string): boolean {
  return KINDS.some(([, name]) => name === type.trim().toUpperCase());
}
