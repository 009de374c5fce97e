import { skipValue } from './json-text.ts';

/*
 * Checksums of records, 32 bits each, to detect whether two records have the same attributes. They depend
 * neither on the order of the attributes nor on the format of the input. They are valid only within this
 * process.
 */

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Seeds: a string has another hash than another value of the same text. */
export const STRING = 0x2545f491;
const OTHER = 0x6c8e9cf5;

let scratch = Buffer.alloc(4096);
let view = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);

/** Returns a hash of the bytes from `from` to before `to`. Reads four at a time, since it runs on every cell of a load. */
export function hashBytes(bytes: DataView, from: number, to: number, seed: number): number {
  let h = seed ^ (to - from);
  let at = from;
  for (; at + 4 <= to; at += 4) {
    h = Math.imul(h ^ bytes.getInt32(at, true), 0x85ebca6b);
    h ^= h >>> 15;
  }
  let rest = 0;
  for (; at < to; at++) rest = (rest << 8) | bytes.getUint8(at);
  h = Math.imul(h ^ rest, 0xc2b2ae35);
  return h ^ (h >>> 13);
}

/** Returns the hash of a text, which is the same as that of its bytes in UTF-8. */
export function hashText(text: string, seed: number = STRING): number {
  return hashSlice(text, 0, text.length, seed);
}

/**
 * Returns the hash of a part of a text. ASCII, which most text is, is hashed in place: encoding it would take
 * longer.
 */
export function hashSlice(text: string, from: number, to: number, seed: number = STRING): number {
  let h = seed ^ (to - from);
  let at = from;
  let all = 0;
  for (; at + 4 <= to; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    all |= a | b | c | d;
    h = Math.imul(h ^ (a | (b << 8) | (c << 16) | (d << 24)), 0x85ebca6b);
    h ^= h >>> 15;
  }
  let rest = 0;
  for (; at < to; at++) {
    const code = text.charCodeAt(at);
    all |= code;
    rest = (rest << 8) | code;
  }
  if (all > 0x7f) return hashEncoded(text.slice(from, to), seed);
  h = Math.imul(h ^ rest, 0xc2b2ae35);
  return h ^ (h >>> 13);
}

function hashEncoded(text: string, seed: number): number {
  if (text.length * 3 > scratch.length) {
    scratch = Buffer.alloc(text.length * 6);
    view = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
  }
  return hashBytes(view, 0, scratch.write(text), seed);
}

/**
 * Returns the hash of a JSON value: the part of a text from `from` to before `to`. It does not depend on the order of members,
 * white space or the spelling of strings; numbers of other digits have another hash.
 * @param hasEscapes true if the text contains a backslash anywhere
 */
export function hashValue(text: string, from: number, to: number, hasEscapes: boolean): number {
  const first = text.charCodeAt(from);
  if (first === QUOTE) return hashString(text, from, to, hasEscapes);
  return first === OPEN_OBJECT || first === OPEN_ARRAY
    ? new NestedHash(text, from, hasEscapes).value()
    : hashSlice(text, from, to, OTHER);
}

/** Returns the hash of a string in quotes. Escapes have several spellings, so they are written in one way. */
function hashString(text: string, from: number, to: number, hasEscapes: boolean): number {
  if (!hasEscapes) return hashSlice(text, from + 1, to - 1);
  const token = text.slice(from, to);
  if (!token.includes('\\')) return hashSlice(text, from + 1, to - 1);
  const json = JSON.stringify(JSON.parse(token));
  return hashSlice(json, 1, json.length - 1);
}

/** Scanner that hashes an object or array as it reads it. The order of the members of an object does not matter. */
class NestedHash {
  readonly #text: string;
  readonly #hasEscapes: boolean;
  #at: number;

  constructor(text: string, from: number, hasEscapes: boolean) {
    this.#text = text;
    this.#at = from;
    this.#hasEscapes = hasEscapes;
  }

  value(): number {
    const code = this.#text.charCodeAt(this.#at);
    if (code === OPEN_OBJECT) return this.#object();
    if (code === OPEN_ARRAY) return this.#array();
    const from = this.#at;
    this.#at = skipValue(this.#text, from);
    return code === QUOTE
      ? hashString(this.#text, from, this.#at, this.#hasEscapes)
      : hashSlice(this.#text, from, this.#at, OTHER);
  }

  #object(): number {
    let sum = OPEN_OBJECT;
    for (this.#at++; this.#next() !== CLOSE_OBJECT; ) {
      const name = this.value();
      this.#next(); // the value, behind the colon
      sum += hashMember(name, this.value());
    }
    this.#at++;
    return hashMember(OTHER, sum | 0);
  }

  #array(): number {
    let h = OPEN_ARRAY;
    for (this.#at++; this.#next() !== CLOSE_ARRAY; ) h = hashMember(h, this.value());
    this.#at++;
    return h;
  }

  /** Skips white space and separators. Returns the code of the next character. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at);
    while (code <= 32 || code === COMMA || code === COLON) code = this.#text.charCodeAt(++this.#at);
    return code;
  }
}

/**
 * Returns the share of one attribute in the checksum of a record, which is the sum of all of them.
 * @param name hash of its name
 * @param value hash of its value
 */
export function hashMember(name: number, value: number): number {
  const h = Math.imul(value ^ Math.imul(name, 0x9e3779b1), 0x85ebca6b);
  return Math.imul(h ^ (h >>> 16), 0xc2b2ae35);
}

/**
 * Returns the checksum of a record from the sum of its attributes. It is never 0, which stands for an unknown
 * checksum.
 */
export function checksumOf(sum: number): number {
  return sum | 0 || 1;
}
