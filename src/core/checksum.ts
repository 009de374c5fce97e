/*
 * Checksums of records, 32 bits each, to tell whether two records have the same attributes. The order of the attributes
 * does not count, nor does the format that they were read from. They are good for this process alone.
 */

/** Seeds: a string and another value of the same text are different. */
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

/** Returns the hash of a text, the same as of its bytes in UTF-8. */
export function hashText(text: string, seed: number = STRING): number {
  if (text.length * 3 > scratch.length) {
    scratch = Buffer.alloc(text.length * 6);
    view = new DataView(scratch.buffer, scratch.byteOffset, scratch.length);
  }
  return hashBytes(view, 0, scratch.write(text), seed);
}

/** Returns the hash of a value. @param json its canonical text */
export function hashValue(json: string): number {
  return json.startsWith('"') ? hashText(json.slice(1, -1), STRING) : hashText(json, OTHER);
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

/** Returns the checksum of a record, of the sum of its attributes. 0 stands for a checksum that is not known. */
export function checksumOf(sum: number): number {
  return sum | 0 || 1;
}
