import { createRequire } from 'node:module';
import { quoted } from '../base/terminal-text.ts';

type Levenshtein = typeof import('fastest-levenshtein');
/** Loads the library at the first misspelt word: most command lines have none. */
const levenshtein = (): Levenshtein => createRequire(import.meta.url)('fastest-levenshtein') as Levenshtein;

/** Shortest beginning of a name that counts as an abbreviation. */
const MIN_START = 3;

/**
 * Returns the name that was probably meant; undefined if no name is similar. Case, dashes and underscores are
 * ignored.
 *
 * A name is similar if it is the only one that begins with the word, which has at least three letters. It is
 * also similar if it differs in one letter (two swapped letters count as one), in two letters of a word of six
 * or more, or in three of a word of nine or more.
 */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const typed = plain(word);
  if (names.length === 0 || typed === '') return undefined;
  const plains = names.map(plain);
  const [start, another] = plains.filter((name) => name.startsWith(typed));
  if (start !== undefined && another === undefined && typed.length >= MIN_START)
    return names[plains.indexOf(start)];
  const { distance } = levenshtein();
  const distances = plains.map((name) => (isSwapped(typed, name) ? 1 : distance(typed, name)));
  const least = Math.min(...distances);
  const most = Math.min(3, Math.max(1, Math.floor(typed.length / 3)));
  return least <= most && least < typed.length ? names[distances.indexOf(least)] : undefined;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

/** Returns whether the words differ by two swapped neighbouring letters, the most common slip. */
function isSwapped(typed: string, name: string): boolean {
  if (typed.length !== name.length) return false;
  const at = [...typed].findIndex((letter, i) => letter !== name[i]);
  if (at < 0) return false;
  const swapped = `${typed.slice(0, at)}${typed[at + 1] ?? ''}${typed[at]}${typed.slice(at + 2)}`;
  return swapped === name;
}

/** Returns the end of a message: `; did you mean csv?`, or nothing. */
export function hint(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near === undefined ? '' : `; did you mean ${suggested(near)}?`;
}

/** Returns a name for a suggestion, in quotes if it has characters that could be part of the sentence. */
export function suggested(name: string): string {
  return /^[\w./-]+$/.test(name) ? name : quoted(name);
}
