import type { Misfit } from '../contract.ts';

/** Returns true if a text file can hold the text, so that it is read back unchanged. */
export function isText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Returns the misfit for two attributes with one path. Adding or removing columns does not help. */
export function sharedPath(path: string): Misfit {
  const shown = JSON.stringify(path);
  const message = `two attributes have the path ${shown}: one with that name, and one inside an object; give one another name before task-save, or save to NDJSON, which holds both`;
  return { code: 'VALUE', message, columns: [] };
}

/** Returns the misfit for text that no row of text can hold. */
export function notText(what: string): Misfit {
  const message = `${what} has a NUL or half of a surrogate pair, which a row of text cannot hold`;
  return { code: 'VALUE', message, columns: [] };
}

/** Returns the missing names that a header can hold and does not have. */
export function lackingOf(missing: readonly string[], names: readonly string[] = []): string[] {
  const there = new Set(names);
  return missing.filter((name) => !there.has(name) && isText(name));
}

/** Number of names that a message shows. */
const NAMED = 20;

/** Returns the misfit for attributes without a column. */
export function misfit(missing: readonly string[], columns: readonly string[], path: string): Misfit {
  if (!missing.every(isText)) return notText('the name of an attribute');
  const names = missing.slice(0, NAMED).map((name) => JSON.stringify(name));
  if (missing.length > NAMED) names.push(`and ${missing.length - NAMED} more`);
  return {
    code: 'COLUMNS',
    message: `${path} has no column for ${names.join(', ')}; --widen adds columns, --fields leaves attributes out`,
    columns: lackingOf(missing, columns),
  };
}
