import type { ColumnKind } from './run-columns.ts';

/*
 * The column `exact`: what a saver adds to a cell that does not tell its value exactly, and how a loader uses it.
 * An entry counts only while the cell still agrees with it: someone may have changed the cell with an UPDATE.
 */

/**
 * Returns the entry for a value in a column of ours, or undefined if the cell tells it exactly. For an object or array,
 * whose JSON text is in the cell, `{}` or `[]` is enough.
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
 * Returns the JSON text of a cell by its entry, or undefined if the cell was changed since.
 * @param cell the cell in JavaScript; text as a string
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

/** Returns the text that a cell has for a JSON string. A cell cannot hold a NUL or half of a surrogate pair. */
export function textIn(raw: string): string {
  return (JSON.parse(raw) as string).replaceAll('\0', '\ufffd').toWellFormed();
}

/** Returns whether a cell can hold a JSON string as it is. */
export function isPlainText(raw: string): boolean {
  return !/\\u(?:0000|d[89a-f])/i.test(raw) || isText(JSON.parse(raw) as string);
}

export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Returns whether digits are a whole number of 64 bits. */
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
