import { createRequire } from 'node:module';

type Levenshtein = typeof import('fastest-levenshtein');
/** Loaded when it is needed: few command lines have a slip in them. */
const levenshtein = (): Levenshtein => createRequire(import.meta.url)('fastest-levenshtein') as Levenshtein;

/**
 * The word that was most likely meant, or undefined where none is near. Case makes no difference.
 * @param most how many letters may differ. Default: 2, and a third of them where the word is long
 */
export function nearest(word: string, names: readonly string[], most?: number): string | undefined {
  if (names.length === 0) return undefined;
  const { distance } = levenshtein();
  const typed = word.toLowerCase();
  const distances = names.map((name) => distance(typed, name.toLowerCase()));
  const least = Math.min(...distances);
  // Where every letter differs, nothing of the word was meant.
  const isNear = least < typed.length && least <= (most ?? Math.max(2, typed.length / 3));
  return isNear ? names[distances.indexOf(least)] : undefined;
}

/** The same as the end of a message: `; did you mean csv?`, or nothing. */
export function hint(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near === undefined ? '' : `; did you mean ${near}?`;
}
