import { hashMember, hashSlice, hashText, hashValue } from './checksum.ts';
import { skipValue } from './json-text.ts';

/*
 * Fast path of the checksum of a JSON record, of records without `--select` and `--rename`. It reads the text once and
 * makes no string of a name. The benchmark rows `load-nested` and `load-quoted` justify it.
 */

const QUOTE = 34;
const COLON = 58;
const COMMA = 44;

/** Returns a bit for each length of a name; bit 31 stands for all lengths from 31 on. */
export function lengthsOf(names: Iterable<string>): number {
  let bits = 0;
  for (const { length } of names) bits |= 1 << Math.min(length, 31);
  return bits;
}

/**
 * Returns the sum of `hashMember` over the members of an object's text.
 * @param text JSON text of an object
 * @param lengths of the names that `isLeftOut` may leave out, by `lengthsOf`
 * @param isLeftOut whether a member does not count, by its name and whether its value is a string
 */
export function sumOfMembers(
  text: string,
  lengths: number,
  isLeftOut: (name: string, isText: boolean) => boolean,
): number {
  const hasEscapes = text.includes('\\');
  let sum = 0;
  let at = 1;
  for (;;) {
    while (text.charCodeAt(at) <= 32 || text.charCodeAt(at) === COMMA) at++;
    if (text.charCodeAt(at) !== QUOTE) return sum;
    const from = at + 1;
    const to = stringEnd(text, at, hasEscapes) - 1;
    at = to + 1;
    while (text.charCodeAt(at) <= 32 || text.charCodeAt(at) === COLON) at++;
    const value = at;
    const isText = text.charCodeAt(value) === QUOTE;
    at = isText ? stringEnd(text, value, hasEscapes) : skipValue(text, value);
    const name = hasEscapes ? nameWithEscapes(text, from, to) : undefined;
    const mayBeLeftOut = name !== undefined || (lengths >>> Math.min(to - from, 31)) & 1;
    if (mayBeLeftOut && isLeftOut(name ?? text.slice(from, to), isText)) continue;
    const hash = name === undefined ? hashSlice(text, from, to) : hashText(name);
    sum += hashMember(hash, hashValue(text, value, at, hasEscapes));
  }
}

/** Returns the index just past the string that begins at `from`. */
function stringEnd(text: string, from: number, hasEscapes: boolean): number {
  return hasEscapes ? skipValue(text, from) : text.indexOf('"', from + 1) + 1;
}

/** Returns the name between two quotes if it has a backslash. */
function nameWithEscapes(text: string, from: number, to: number): string | undefined {
  const token = text.slice(from - 1, to + 1);
  return token.includes('\\') ? (JSON.parse(token) as string) : undefined;
}
