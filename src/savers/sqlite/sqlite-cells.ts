import { entryOf, isInteger64, isPlainText, isText, textIn } from '../../core/record/exact-values.ts';
import { minify } from '../../core/record/json-text.ts';
import { COLUMN_TYPES, type ColumnKind, type OwnKind } from '../../core/record/run-columns.ts';
import { type Cell, identifier } from '../../core/storage/sqlite-database.ts';

export interface TableColumn {
  readonly name: string;
  readonly kind: ColumnKind;
  /** True if cells keep values unchanged; false if the type makes SQLite convert them. */
  readonly keeps: boolean;
  /** SQL of the value that a row gets if its record does not have the attribute; undefined: NULL. */
  readonly fallback?: string | undefined;
}

/** Returns a column that the table does not have yet. */
export function newColumn(name: string, kind: OwnKind): TableColumn {
  return { name, kind, keeps: true };
}

/** Returns the kind of a new column by its first value. */
export function kindOfValue(raw: string): 'json' | 'boolean' | 'any' {
  if (raw.startsWith('{') || raw.startsWith('[')) return 'json';
  return raw === 'true' || raw === 'false' ? 'boolean' : 'any';
}

/** Returns the declaration of a column of ours. */
export function declared({ name, kind }: TableColumn): string {
  const type = kind in COLUMN_TYPES ? COLUMN_TYPES[kind as OwnKind] : '';
  return `${identifier(name)} ${type}`;
}

const LONGEST_NAME = 255;

/**
 * Returns true if an attribute of this name can have a column. Other names make a schema that tools cannot
 * read.
 */
export function isColumnName(name: string): boolean {
  return name !== '' && name.length <= LONGEST_NAME && isText(name);
}

/** Returns the entry in the column `exact` for a value, or undefined if the cell holds the value exactly. */
export function exactFor(raw: string, { kind, keeps }: TableColumn): string | undefined {
  return keeps ? entryOf(raw, kind) : undefined;
}

/** Returns the reason a column of a table of another program would change a value, or undefined. */
export function spoilt(raw: string, { name, kind, keeps }: TableColumn): string | undefined {
  if (keeps || kind === 'json' || !raw.startsWith('"')) return undefined;
  if (!isPlainText(raw))
    return 'a value has a NUL or half of a surrogate pair, which a column of text cannot hold';
  if (kind === 'text' || kind === 'any' || !isChangedDigits(JSON.parse(raw) as string)) return undefined;
  return `the column ${JSON.stringify(name)} turns text into numbers and would change ${raw}; declare it as TEXT`;
}

const NUMERIC = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i;
const DECIMAL = /^-?(?:0|[1-9]\d*)\.\d+$/;

/** Returns true if text is a number whose digits SQLite may change: 007, 1E5, or too many digits. */
function isChangedDigits(text: string): boolean {
  if (!NUMERIC.test(text) || isInteger64(text)) return false;
  return !DECIMAL.test(text) || text.length > 17;
}

/**
 * Returns a cell as JSON. `["N"]` is an integer of more than 53 bits. `[N]` is a REAL, so that 1.0 stays a
 * REAL. Other numbers that a REAL cannot hold become text.
 */
export function cellText(raw: string, kind: ColumnKind): string {
  const first = raw[0];
  if (raw === 'null') return raw;
  if (kind === 'json' || first === '{' || first === '[') return JSON.stringify(minify(raw));
  if (first === '"') return isPlainText(raw) ? raw : JSON.stringify(textIn(raw));
  if (first === 't' || first === 'f') return raw;
  if (kind === 'text') return `"${raw}"`;
  const value = Number(raw);
  if (isInteger64(raw)) return Number.isSafeInteger(value) ? raw : `["${raw}"]`;
  if (String(value) === raw) return raw;
  if (!Number.isFinite(value) || /^-?\d{16,}$/.test(raw)) return `"${raw}"`;
  return Number.isSafeInteger(value) ? `[${value}]` : String(value);
}

/**
 * Returns the values to bind for a row. Columns that the table got after the row was encoded are null.
 * @param row generation of the row, then its cells
 */
export function cellsOf(row: readonly unknown[], width: number): Cell[] {
  const cells = new Array<Cell>(width).fill(null);
  for (let i = 1; i < row.length; i++) cells[i - 1] = cellOf(row[i]);
  return cells;
}

function cellOf(value: unknown): Cell {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (!Array.isArray(value)) return value as string | null;
  const number = value[0] as string | number;
  return typeof number === 'string' ? BigInt(number) : number;
}
