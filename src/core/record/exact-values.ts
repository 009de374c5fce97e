import type { ColumnKind } from './run-columns.ts';

/*
 * The column `exact`: a saver adds an entry for each cell that cannot hold its value exactly, and a loader
 * reads it. An entry is used only if the cell still agrees with it: an UPDATE may have changed the cell.
 */

/**
 * Returns the entry for a value in one of our columns, or undefined if the cell holds it exactly. The JSON
 * text of an object or array is in the cell, so that its entry is only `{}` or `[]`.
 * @param raw JSON text
 */
export function entryOf(raw: string, kind: ColumnKind): string | undefined {
  if (raw === 'null') return raw;
  if (kind === 'json') return undefined;
  const first = raw[0];
  if (first === '"') return isPlainText(raw) ? undefined : raw;
  if (first === '{') return '{}';
  if (first === '[') return '[]';
  if (first === 't' || first === 'f') return kind === 'boolean' ? undefined : raw;
  if (kind === 'boolean' && (raw === '0' || raw === '1')) return raw;
  return isInteger64(raw) || String(Number(raw)) === raw ? undefined : raw;
}

/**
 * Returns the JSON text of a cell by its entry, or undefined if the cell has changed since.
 * @param cell value of the cell; text as a string
 */
export function byEntry(entry: string, cell: string | number | bigint): string | undefined {
  const first = entry[0];
  if (typeof cell === 'string') {
    if (first === '{' || first === '[') return cell[0] === first && isJson(cell) ? cell : undefined;
    if (first === '"') return textIn(entry) === cell ? entry : undefined;
    return entry === cell ? entry : undefined;
  }
  if (entry === 'true' || entry === 'false')
    return Number(cell) === (entry === 'true' ? 1 : 0) ? entry : undefined;
  return /^[-\d]/.test(entry) && Number(entry) === Number(cell) ? entry : undefined;
}

/**
 * Returns the text of the cell for a JSON string. A cell cannot hold a NUL or half of a surrogate pair: they
 * become U+FFFD.
 */
export function textIn(raw: string): string {
  return (JSON.parse(raw) as string).replaceAll('\0', '\ufffd').toWellFormed();
}

/** Returns whether a cell can hold a JSON string exactly. */
export function isPlainText(raw: string): boolean {
  return !/\\u(?:0000|d[89a-f])/i.test(raw) || isText(JSON.parse(raw) as string);
}

export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Returns whether text is a whole number that fits into 64 bits, signed. */
export function isInteger64(raw: string): boolean {
  if (raw === '0') return true;
  if (!/^-?[1-9]\d{0,18}$/.test(raw)) return false;
  const value = BigInt(raw);
  return BigInt.asIntN(64, value) === value;
}

export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
