import { type DeclaredColumn, SIDE_COMMENTS, sqlName } from '../../core/postgres/postgres-table.ts';
import { isPlainText, isText, textIn } from '../../core/record/exact-values.ts';
import { minify } from '../../core/record/json-text.ts';

/** Types of the columns that we declare, by kind. The type `json` keeps the text of a value; `jsonb` does not. */
const OWN_TYPES = {
  text: 'text',
  numeric: 'numeric',
  boolean: 'boolean',
  json: 'json',
  time: 'timestamptz',
  exact: 'json',
  others: 'json',
} as const;

/** Kinds of columns that we declare. */
export type PostgresOwnKind = keyof typeof OWN_TYPES;

/**
 * Kinds of columns. The last three occur only in tables that another program made; the server reads the text of
 * `typed` ones.
 */
export type PostgresKind = PostgresOwnKind | 'array' | 'bytes' | 'typed';

/** A column to write. */
export interface TargetColumn {
  readonly name: string;
  readonly kind: PostgresKind;
  /** SQL of the value that a new row gets if its record lacks the attribute; undefined: NULL. */
  readonly fallback: string | undefined;
  /** Type under the domain of the column; undefined if its type is not a domain. */
  readonly stageType?: string | undefined;
}

/** Returns the kind of a column of an existing table. */
export function kindOfColumn({ type, category, comment }: DeclaredColumn): PostgresKind {
  if (comment === SIDE_COMMENTS.exact) return 'exact';
  if (comment === SIDE_COMMENTS.others) return 'others';
  if (type === 'json' || type === 'jsonb') return 'json';
  if (type === 'timestamptz') return 'time';
  if (type === 'bytea') return 'bytes';
  if (category === 'B') return 'boolean';
  if (category === 'N' && type !== 'money') return 'numeric';
  if (category === 'A') return 'array';
  return ['text', 'varchar', 'bpchar', 'citext'].includes(type) ? 'text' : 'typed';
}

/** Returns the kind of a new column by its first value. */
export function kindOfFirst(raw: string): PostgresOwnKind {
  const first = raw[0];
  if (first === '{' || first === '[') return 'json';
  if (first === '"') return 'text';
  return first === 't' || first === 'f' ? 'boolean' : 'numeric';
}

/** Returns the declaration of a new column. */
export function declaredAs({ name, kind }: TargetColumn): string {
  return `${sqlName(name)} ${kind in OWN_TYPES ? OWN_TYPES[kind as PostgresOwnKind] : 'text'}`;
}

/** Longest name of a column, in bytes: the server cuts longer ones. */
const LONGEST_NAME = 63;
const SYSTEM_COLUMNS = ['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'];

/** Returns whether an attribute of this name can have a column. */
export function canBeColumn(name: string): boolean {
  return (
    name !== '' && Buffer.byteLength(name) <= LONGEST_NAME && isText(name) && !SYSTEM_COLUMNS.includes(name)
  );
}

/** Text of a cell, and the entry in the column `exact` if the cell does not hold the value exactly. */
export interface CellValue {
  readonly text: string;
  readonly entry?: string | undefined;
}

const DECIMAL = /^-?\d+(?:\.\d+)?$/;
const MINUS_ZERO = /^-0(?:\.0*)?$/;
/** Longest number without an exponent for a cell, in characters, and greatest exponent. */
const LONGEST_NUMBER = 1000;
const GREATEST_EXPONENT = 300;

/** Returns whether a cell of numbers holds a number exactly, with its digits. */
export function isExactNumber(raw: string): boolean {
  return DECIMAL.test(raw) && raw.length <= LONGEST_NUMBER && !MINUS_ZERO.test(raw);
}

/**
 * Returns the cell of a value in a column of ours; undefined if the column cannot hold it, so that it belongs to the
 * column `others`.
 * @param raw JSON text, not null
 */
export function ownCell(raw: string, kind: PostgresKind): CellValue | undefined {
  if (kind === 'json') return { text: raw };
  const first = raw[0];
  if (kind === 'text') {
    if (first === '"') return isPlainText(raw) ? { text: plain(raw) } : { text: textIn(raw), entry: raw };
    if (first === '{' || first === '[') return { text: minify(raw), entry: first === '{' ? '{}' : '[]' };
    return { text: raw, entry: raw };
  }
  if (kind === 'boolean') return raw === 'true' || raw === 'false' ? { text: raw } : undefined;
  if (kind === 'time')
    return first === '"' && isTime(raw.slice(1, -1)) ? { text: raw.slice(1, -1) } : undefined;
  if (kind !== 'numeric' || first === '"' || first === '{' || first === '[' || first === 't' || first === 'f')
    return undefined;
  if (isExactNumber(raw)) return { text: raw };
  if (MINUS_ZERO.test(raw) && raw.length <= LONGEST_NUMBER) return { text: raw, entry: raw };
  const exponent = Math.abs(Number(/e([-+]?\d+)$/i.exec(raw)?.[1] ?? GREATEST_EXPONENT + 1));
  return exponent <= GREATEST_EXPONENT && raw.length <= LONGEST_NUMBER
    ? { text: raw, entry: raw }
    : undefined;
}

/**
 * Returns the cell of a value in a column that another program made, or the reason the column would change it.
 * @param raw JSON text, not null
 */
export function foreignCell(raw: string, { name, kind }: TargetColumn): CellValue | string {
  if (kind === 'json') return { text: raw };
  if (kind === 'array' && raw.startsWith('[')) {
    const text = arrayText(JSON.parse(raw) as unknown[]);
    return isText(text) ? { text } : NO_TEXT;
  }
  if (!raw.startsWith('"')) {
    const isOther = kind === 'bytes' || (kind === 'array' && raw.startsWith('{'));
    return isOther
      ? `the column ${JSON.stringify(name)} ${HELD[kind]}; got ${raw.slice(0, 60)}`
      : { text: raw };
  }
  if (!isPlainText(raw)) return NO_TEXT;
  const text = plain(raw);
  if (
    kind === 'numeric' &&
    !/^(?:NaN|-?Infinity)$/.test(text) &&
    !(DECIMAL.test(text) && !/^-?0\d|^-0/.test(text))
  )
    return `the column ${JSON.stringify(name)} holds numbers, and the value is the text ${raw.slice(0, 60)}`;
  if (kind !== 'bytes') return { text };
  if (text.length % 4 !== 0 || !/^[\w+/]*={0,2}$/.test(text))
    return `the column ${JSON.stringify(name)} ${HELD.bytes}; got ${raw.slice(0, 60)}`;
  return { text: `\\x${Buffer.from(text, 'base64').toString('hex')}` };
}

/** Values of the kinds that do not take every JSON value as its text. */
const HELD = { bytes: 'holds bytes, which a record has as base64', array: 'holds arrays' } as const;

const NO_TEXT =
  'a value has a NUL or half of a surrogate pair, which no column of text can hold; save it to a column of type json';

function plain(raw: string): string {
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
}

const TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[-+][01]\d:[0-5]\d)$/;

/** Returns whether a text is a time that a column of times holds. */
export function isTime(text: string): boolean {
  return TIME.test(text);
}

/** Returns an array in the text format of the server. */
function arrayText(items: readonly unknown[]): string {
  const texts = items.map((item) => {
    if (item === null) return 'NULL';
    if (Array.isArray(item)) return arrayText(item);
    const text = typeof item === 'object' ? JSON.stringify(item) : String(item);
    return `"${text.replace(/["\\]/g, '\\$&')}"`;
  });
  return `{${texts.join(',')}}`;
}

/** Cell of NULL in the text format of COPY. */
export const NULL_CELL = '\\N';

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Returns text as a cell in the text format of COPY. */
export function copyCell(text: string): string {
  return /[\\\n\r\t]/.test(text) ? text.replace(/[\\\n\r\t]/g, (found) => ESCAPES[found] as string) : text;
}
