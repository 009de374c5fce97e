/* Checksums of the values of a row: see `checksum.ts`. */

import { VALUES } from './layout';

/** Column and hash of the name of each column in the checksum. */
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
    const value = hashBytes(load<u32>(VALUES + 8 * column), load<u32>(VALUES + 8 * column + 4));
    const h = (value ^ (load<u32>(compared + 8 * i + 4) * 0x9e3779b1)) * 0x85ebca6b;
    sum += (h ^ (h >> 16)) * 0xc2b2ae35;
  }
  return sum === 0 ? 1 : sum;
}

function hashBytes(from: usize, before: usize): u32 {
  let h: u32 = 0x2545f491 ^ <u32>(before - from);
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
