import { quoted, withoutUser } from '../../core/base/terminal-text.ts';
import type { Dialect, Row } from '../../core/text/csv.ts';
import type { ReadOptions } from '../contract.ts';
import { separatorHint } from './row-faults.ts';

/* Mistakes in the first row of a table. Most are likely but not certain, so they are only warnings. */

/** Number of characters of a name that a message shows. */
const SHOWN = 60;
/** Maximum length of a name: a longer one is a text. */
const LONG = 250;

function shown(name: string): string {
  const safe = name.includes('://') ? withoutUser(name) : name;
  return quoted(safe.length > SHOWN ? `${safe.slice(0, SHOWN)}…` : safe);
}

/** Returns true if the lines of a file end in a lone CR, which makes the whole file one row. */
export function hasLoneReturn(first: Row, dialect: Dialect): boolean {
  return first.fault !== 'open' && /\r(?!\n|$)/.test(withoutQuoted(first.text, dialect));
}

/** Warns if the header is probably data, has another delimiter, or has spaces in its names. */
export function checkHeader(first: Row, dialect: Dialect, options: ReadOptions): void {
  const say = (words: string): void => options.info(`${options.source}:${first.line}: ${words}`);
  const data = dataIn(first.cells);
  if (data !== undefined) say(dataWarning(data, first.cells, options));
  else if (!noteDelimiter(first.cells, dialect, options, say)) noteSpaces(first.cells, options, say);
}

/** Returns the text of a row without its cells in quotes, since a line end in them is part of the value. */
function withoutQuoted(text: string, { quote }: Dialect): string {
  if (quote === '') return text;
  return text
    .split(quote)
    .filter((_, i) => i % 2 === 0)
    .join('');
}

/** Kinds of values that are hardly ever column names. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^[a-z][a-z\d+.-]*:\/\/\S/i, 'a url'],
  [/^[^\s@,;]+@[^\s@,;]+\.[a-z]{2,}$/i, 'an e-mail address'],
  [/^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i, 'a uuid'],
  [/^(?:\d{1,3}\.){3}\d{1,3}$/, 'an IP address'],
  [/^(?:\.{0,2}\/|[a-z]:\\)\S*\.\w+$/i, 'the path of a file'],
];
/** Numbers, dates and times. In a header they are probably data, except some that follow a name: see `canBeNames`. */
const NUMBER_OR_DATE =
  /^(?:[-+]?[$€£]?\d[\d.,\u00a0 ]*%?|[-+]?\d+(?:\.\d+)?e[-+]?\d+|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ][\d:.]+(?:Z|[-+]\d\d:?\d\d)?)?|[\d:]+)$/i;
const DATE = /^\d{1,4}[-/.]\d{1,2}[-/.]\d|^\d+:\d/;
const YEAR = /^(?:1[5-9]|2[01])\d\d$/;

/** Returns the first cell that looks like data, and its kind; undefined if the row can be a header. */
export function dataIn(cells: readonly string[]): { cell: string; kind: string } | undefined {
  for (const cell of cells) {
    const kind = KINDS.find(([pattern]) => pattern.test(cell.trim()))?.[1];
    if (kind !== undefined) return { cell, kind };
    if (cell.length > LONG) return { cell, kind: 'a text' };
  }
  const filled = cells.map((cell) => cell.trim()).filter((cell) => cell !== '');
  const values = filled.filter((cell) => NUMBER_OR_DATE.test(cell));
  const [cell] = values;
  if (cell === undefined || (cell !== filled[0] && canBeNames(values))) return undefined;
  return { cell, kind: DATE.test(cell) ? 'a date' : 'a number' };
}

/**
 * Returns true if numbers or dates that follow a name can be column names, as in pivot tables: all are dates, or
 * years, or they count in equal steps.
 */
function canBeNames(values: readonly string[]): boolean {
  if (values.every((value) => DATE.test(value)) || values.every((value) => YEAR.test(value))) return true;
  const [first = 0, second = Number.NaN] = values.map(Number);
  const step = second - first;
  const isCount = values.every((value, i) => Number(value) === first + i * step);
  return isCount && values.length > (step === 1 ? 1 : 2);
}

function dataWarning(
  { cell, kind }: { cell: string; kind: string },
  cells: readonly string[],
  { columns }: ReadOptions,
): string {
  const looks = `the first row looks like data, as ${shown(cell)} is ${kind}`;
  if (columns !== undefined)
    return `${looks}, but it is read as a header, which --columns replaces; if the file has no header, add --no-header`;
  const names = cells.slice(0, 3).map(shown).join(', ');
  const more = cells.length > 3 ? `, … (${cells.length})` : '';
  return `${looks}, but it is read as the header: the columns are named ${names}${more}; if the file has no header, add --no-header`;
}

/**
 * Warns if the only name contains another delimiter, which the file may use. Returns true if it has warned.
 */
function noteDelimiter(
  [only, ...others]: readonly string[],
  { delimiter }: Dialect,
  options: ReadOptions,
  say: (words: string) => void,
): boolean {
  if (only === undefined || others.length > 0 || options.delimiter !== undefined) return false;
  const counts = [';', '\t', '|', ','].map((other) => only.split(other).length - 1);
  const most = Math.max(...counts);
  const better = [';', '\t', '|', ','][counts.indexOf(most)] as string;
  if (most === 0 || better === delimiter) return false;
  say(`the header is one column, named ${shown(only)}; ${separatorHint(better)}`);
  return true;
}

function noteSpaces(cells: readonly string[], { columns }: ReadOptions, say: (words: string) => void): void {
  const padded = cells.filter((name) => name !== name.trim() && name.trim() !== '');
  if (padded.length === 0 || columns !== undefined) return;
  const names = cells.map((name) => name.trim());
  const hasCommas = names.some((name) => name === '' || /[,"\\]/.test(name));
  const typed = hasCommas
    ? 'name the columns with --columns'
    : `to drop them, add --columns '${names.join(',')}'`;
  say(
    `spaces are part of the column ${padded.length > 1 ? 'names' : 'name'} ${padded.slice(0, 3).map(shown).join(', ')}; ${typed}`,
  );
}
