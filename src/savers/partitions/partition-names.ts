import { createHash } from 'node:crypto';
import { findNames, rawAt, valueAt } from '../../core/record/nested-path.ts';
import type { Task } from '../../core/record/task.ts';

/** Name of the partition for records without a value, as in Hive. */
const NONE = '__HIVE_DEFAULT_PARTITION__';
/** Longest name of a folder, in bytes; file systems allow 255. */
const LONGEST = 200;
/** Characters of a value that keep their form; others are written as `%` and two digits for each byte. */
const KEPT = /[^\p{L}\p{N}\p{M}._@+\-,; ()!&$~]/gu;

/** Returns the value of the attribute that selects the partition: text, or the JSON of another value; '' for none. */
export function partitionValue({ fields, line }: Task, path: string): string {
  const names = findNames(fields, path);
  const value = names && valueAt(fields, names);
  if (names === undefined || value === null || value === undefined || value === '') return '';
  return typeof value === 'string' ? value : rawAt(line, names);
}

/** Returns the name of the folder of a value: `state=CA`. */
export function folderOf(name: string, value: string): string {
  const folder = `${escaped(name)}=${value === '' ? NONE : escaped(value)}`;
  if (Buffer.byteLength(folder) <= LONGEST) return folder;
  const digest = createHash('sha256').update(value).digest('hex').slice(0, 32);
  return `${escaped(name).slice(0, 100)}=${digest}`;
}

/**
 * Returns the name of the folder of a value if a case-insensitive file system confuses its usual name with another
 * one.
 */
export function twinOf(name: string, value: string): string {
  const folder = `${escaped(name)}=${percent(value)}`;
  return folder.length <= LONGEST ? folder : folderOf(name, value.repeat(LONGEST));
}

/** Returns a key that is the same for two names if a file system may treat them as one. */
export function sameName(folder: string): string {
  return folder.normalize('NFC').toLowerCase();
}

function escaped(text: string): string {
  // A record may have this text as its value: it must not be mistaken for a missing value, also on a case-insensitive
  // file system.
  if (text.toUpperCase() === NONE) return `%5F${text.slice(1)}`;
  return text
    .toWellFormed()
    .replace(KEPT, percent)
    .replace(/^\.+$|[. ]$/, percent);
}

function percent(text: string): string {
  return Buffer.from(text).toString('hex').toUpperCase().replace(/../g, '%$&');
}
