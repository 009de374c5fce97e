import { hashMember, hashSlice, hashValue } from './checksum.ts';
import { skipValue } from './json-text.ts';

/*
 * Fast path of the checksum of a JSON record, for records whose names keep their spelling. It reads the text once and
 * makes no string of a name. The benchmark rows `load-ndjson` and `load-quoted` justify it.
 */

const QUOTE = 34;
const COLON = 58;
const COMMA = 44;

/** Returns bits that tell which lengths names have: bit 31 stands for all from 31 on. */
export function lengthsOf(names: Iterable<string>): number {
  let bits = 0;
  for (const { length } of names) bits |= 1 << Math.min(length, 31);
  return bits;
}

/**
 * Returns the sum of `hashMember` over the members of an object's text.
 * @param text JSON text of an object without a backslash
 * @param lengths of the names that `isLeftOut` may leave out, by `lengthsOf`
 * @param isLeftOut whether a member does not count, by its name and whether its value is a string
 */
export function sumOfMembers(
  text: string,
  lengths: number,
  isLeftOut: (name: string, isText: boolean) => boolean,
): number {
  let sum = 0;
  let at = 1;
  for (;;) {
    while (text.charCodeAt(at) <= 32 || text.charCodeAt(at) === COMMA) at++;
    if (text.charCodeAt(at) !== QUOTE) return sum;
    const from = at + 1;
    const to = text.indexOf('"', from);
    at = to + 1;
    while (text.charCodeAt(at) <= 32 || text.charCodeAt(at) === COLON) at++;
    const value = at;
    const isText = text.charCodeAt(value) === QUOTE;
    at = isText ? text.indexOf('"', value + 1) + 1 : skipValue(text, value);
    const mayBeLeftOut = (lengths >>> Math.min(to - from, 31)) & 1;
    if (mayBeLeftOut && isLeftOut(text.slice(from, to), isText)) continue;
    sum += hashMember(hashSlice(text, from, to), hashValue(text, value, at, false));
  }
}
