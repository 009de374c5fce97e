/* Checksums of records: see `core/record/checksum.ts`. */

import { VALUES } from './layout';

/** Seeds: a string has another hash than another value of the same text. */
export const STRING: u32 = 0x2545f491;
export const OTHER: u32 = 0x6c8e9cf5;

/** Column and hash of the name of each column in the checksum of a row. */
let compared: usize = 0;
let comparedCount: usize = 0;

export function setCompared(at: usize, count: usize): void {
  compared = at;
  comparedCount = count;
}

/** Returns the checksum of the last row that was written. */
export function checksum(): u32 {
  let sum: u32 = 0;
  for (let i: usize = 0; i < comparedCount; i++) {
    const column = load<u32>(compared + 8 * i);
    const value = hashBytes(load<u32>(VALUES + 8 * column), load<u32>(VALUES + 8 * column + 4), STRING);
    sum += hashMember(load<u32>(compared + 8 * i + 4), value);
  }
  return sumOf(sum);
}

/** Returns the checksum of a record from the sum of its members. */
export function sumOf(sum: u32): u32 {
  return sum === 0 ? 1 : sum;
}

/** Returns the share of one attribute in the checksum of a record. */
export function hashMember(name: u32, value: u32): u32 {
  const h = (value ^ (name * 0x9e3779b1)) * 0x85ebca6b;
  return (h ^ (h >> 16)) * 0xc2b2ae35;
}

/** Returns the hash of the bytes from `from` to before `before`. */
export function hashBytes(from: usize, before: usize, seed: u32): u32 {
  let h: u32 = seed ^ <u32>(before - from);
  let at = from;
  for (; at + 4 <= before; at += 4) {
    h = (h ^ load<u32>(at)) * 0x85ebca6b;
    h ^= h >> 15;
  }
  let rest: u32 = 0;
  for (; at < before; at++) rest = (rest << 8) | load<u8>(at);
  h = (h ^ rest) * 0xc2b2ae35;
  return h ^ (h >> 13);
}
