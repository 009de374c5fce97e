import { byEntry } from '../../core/record/exact-values.ts';
import { minify } from '../../core/record/json-text.ts';

/** Type of the cells of a column, as `pg_type` describes it. */
export interface CellType {
  readonly name: string;
  /** Category, as `N` for numbers and `A` for arrays. */
  readonly category: string;
  /** Name of the type of the items of an array. */
  readonly items: string | undefined;
}

/** Converter of the text of a cell to JSON text. */
export type ToJson = (text: string) => string;

/** Returns whether the server has to turn a cell into JSON: arrays, rows and hstore. */
export function isNested({ category, name }: CellType): boolean {
  return category === 'A' || category === 'C' || category === 'P' || name === 'hstore';
}

/** Returns the converter of a type. Texts of cells are in the formats of `core/postgres/postgres-session.ts`. */
export function converterOf(type: CellType): ToJson {
  if (isNested(type)) return nestedConverter(type);
  const { name, category } = type;
  if (name === 'json' || name === 'jsonb') return minify;
  if (name === 'bool') return (text) => (text === 't' ? 'true' : 'false');
  if (name === 'bytea') return (text) => JSON.stringify(base64(text));
  if (name === 'timestamptz' || name === 'timestamp') return (text) => JSON.stringify(isoTime(text));
  if (category === 'N' && name !== 'money')
    return (text) => (/^-?\d/.test(text) ? text : JSON.stringify(text));
  return (text) => JSON.stringify(text);
}

/** Returns bytes as base64. @param text `\x` and hexadecimal digits */
function base64(text: string): string {
  return Buffer.from(text.slice(2), 'hex').toString('base64');
}

/** Returns a time of the server in ISO 8601. Times before the year 1 and infinity stay as they are. */
function isoTime(text: string): string {
  return /^\d{4}-\d\d-\d\d[ T][\d:.]+(?:\+00(?::00)?)?$/.test(text)
    ? text.replace(' ', 'T').replace(/\+00(?::00)?$/, 'Z')
    : text;
}

/** Returns the converter for JSON text of the server, whose bytes and times differ from ours. */
function nestedConverter({ items }: CellType): ToJson {
  const convert = items === 'bytea' ? base64 : items === 'timestamptz' ? isoTime : undefined;
  if (convert === undefined) return minify;
  return (text) =>
    JSON.stringify(JSON.parse(text), (_, value: unknown) =>
      typeof value === 'string' ? convert(value) : value,
    );
}

/**
 * Returns the JSON text of a cell by its entry in the column `exact`; undefined if the cell has changed since.
 * @param isNumber true if the cell holds a number
 */
export function exactText(entry: string, cell: string, isNumber: boolean): string | undefined {
  return byEntry(entry, isNumber ? Number(cell) : cell);
}
