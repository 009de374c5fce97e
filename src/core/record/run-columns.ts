/*
 * The layout of a record in a table. An attribute is a column of its name; `run` is spread over columns of ours. An
 * attribute that has the name of one of those gets one more underscore: `state` is the run's, `state_` the user's.
 *
 * Two more columns appear when a record needs them, so that every record comes back as it was saved:
 * `exact` holds the values that a cell does not tell exactly (1.10 in a REAL cell, true in a column of numbers, null),
 * and `others` holds the attributes that cannot have a column. Both are a JSON object.
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

/** A comment in the declaration of a table of ours: there, `state` is the run's and not an attribute. */
export const SIGN = '/* by task-save */';

/** Statement that gives a row if the table that is its parameter is one of ours. */
export const HAS_SIGN: string = `select 1 from sqlite_schema where name = ? collate nocase and instr(sql, '${SIGN}')`;

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

/** Kinds of the columns that we declare. Their cells keep what they are given. */
export type OwnKind = 'any' | 'json' | 'boolean' | 'exact' | 'others';

/**
 * Kinds of columns, by their declared type. The last two belong to tables that someone else made: text, and types that
 * make SQLite turn text into numbers where it can.
 */
export type ColumnKind = OwnKind | 'text' | 'declared';

/** The types that we declare. They keep SQLite from taking the text `1.10` for a number, as NUMERIC would. */
export const COLUMN_TYPES: Readonly<Record<OwnKind, string>> = {
  any: '',
  json: 'JSON TEXT',
  boolean: 'BOOLEAN BLOB',
  exact: 'EXACT JSON TEXT',
  others: 'OTHERS JSON TEXT',
};

const KINDS = Object.entries(COLUMN_TYPES) as readonly (readonly [OwnKind, string])[];

/** Returns the kind of a column. A table that someone else made may have types of its own. */
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
