/*
 * Reader of records of NDJSON that were not tasks before, with uuids that are made from some of their attributes or from
 * the whole record. It checks the grammar, finds these attributes, and writes the lines of the tasks. It rejects what it
 * does not support, such as escapes in names, deep nesting and white space other than a space after a comma or colon. See
 * `loaders/json/simd-records.ts`.
 */

import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  NEWLINE,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  RETURN,
  SPACE,
} from '../bytes';
import { hashBytes, hashMember, OTHER, STRING, sumOf } from '../hash';
import { isReserved, nameEnd } from '../json/json-names';
import { decodeString, quoteAt, respell } from '../json/respell';
import { hasEscape, scalarEnd, stringEnd } from '../json/scan-json';
import {
  CELLS,
  ENDS,
  INPUT,
  LINES,
  MOST_CELLS,
  MOST_LEVELS,
  MOST_ROWS,
  OUTPUT,
  SCRATCH,
  SUMS,
} from '../layout';
import { canonicalRecord, canonicalSize } from './canonical-record';
import { beginOutput, hasRoom, out, putUuid, writeRecord, writeUuid } from './write-row';

/** End of the records of the last `readRecords`, in bytes from the beginning of the input. */
export let recordsEnd: usize = 0;

/** Address and length of the name of each attribute that the uuid is made of. */
let fields: usize = 0;
let fieldCount: usize = 0;
/** A bit for each of them. */
let all: u32 = 0;
/** A bit for each attribute whose value has escapes in the current record. */
let escaped: u32 = 0;
let maxLine: usize = 0;

/** Position in the input; 0 after text that is not supported. */
let at: usize = 0;

/**
 * Sets the attributes that the uuid is made of: at most 31, all different; none if it is made of the whole record.
 * @param mostBytes maximum length of a line
 */
export function setFields(address: usize, count: usize, mostBytes: usize): void {
  fields = address;
  fieldCount = count;
  all = (1 << (<u32>count)) - 1;
  maxLine = mostBytes;
}

/** Reads `length` bytes of `INPUT`, which end with a newline. Returns the number of records. */
export function readRecords(length: usize, line: i32): i32 {
  beginOutput();
  const last = INPUT + length - 1;
  let start = INPUT;
  let rows: usize = 0;
  while (start <= last && rows < MOST_ROWS && (rows + 1) * fieldCount <= MOST_CELLS) {
    at = start;
    const cells = CELLS + 8 * fieldCount * rows;
    let sum: u32 = 0;
    if (fieldCount === 0) at = canonicalRecord(start);
    else sum = record(cells);
    if (at === 0) break;
    const end = at;
    if (load<u8>(at) === RETURN) at++;
    if (load<u8>(at) !== NEWLINE || at - start > maxLine || !hasRoom(end - start)) break;
    store<i32>(LINES + 4 * rows, line + <i32>rows);
    const begin = writeRecord(start, end);
    if (fieldCount === 0) putUuid(rows, begin, canonicalSize());
    else if (escaped !== 0) decodeFields(cells);
    if (fieldCount === 1) writeUuid(rows, begin, cells);
    store<u32>(ENDS + 4 * rows, <u32>(out - OUTPUT));
    store<u32>(SUMS + 4 * rows, sumOf(sum));
    rows++;
    start = at + 1;
  }
  recordsEnd = start - INPUT;
  return <i32>rows;
}

/**
 * Reads a record. Returns the sum of the hashes of its members, except those that the uuid is made of.
 * @param cells address for the places of the values that the uuid is made of
 */
function record(cells: usize): u32 {
  let sum: u32 = 0;
  let found: u32 = 0;
  escaped = 0;
  if (load<u8>(at) !== OPEN_OBJECT) return fail();
  at++;
  while (true) {
    const name = at + 1;
    const end = readName();
    if (end === 0 || isReserved(name, end - name)) return fail();
    const field = fieldOf(name, end - name);
    if (field < 0) {
      const hash = value(1);
      if (at === 0) return 0;
      sum += hashMember(hashBytes(name, end, STRING), hash);
    } else {
      const bit = (<u32>1) << (<u32>field);
      if (load<u8>(at) !== QUOTE || (found & bit) !== 0) return fail();
      const from = at + 1;
      let before = stringEnd(from);
      if (before === 0 || hasEscape) {
        if (decodeString(from, SCRATCH) === 0) return fail();
        before = quoteAt;
        escaped |= bit;
      }
      found |= bit;
      store<u32>(cells + 8 * field, <u32>(from - INPUT));
      store<u32>(cells + 8 * field + 4, <u32>(before - INPUT));
      at = before + 1;
    }
    if (load<u8>(at) === CLOSE_OBJECT) break;
    if (!skipComma()) return 0;
  }
  at++;
  return found === all ? sum : fail();
}

/** Replaces the values with escapes by their texts in `INPUT`. The line of the record is written by then. */
function decodeFields(cells: usize): void {
  for (let i: usize = 0; i < fieldCount; i++) {
    if ((escaped & (1 << (<u32>i))) === 0) continue;
    const from = load<u32>(cells + 8 * i);
    const length = decodeString(INPUT + from, SCRATCH) - SCRATCH;
    memory.copy(INPUT + from, SCRATCH, length);
    store<u32>(cells + 8 * i + 4, from + <u32>length);
  }
}

function fail(): u32 {
  at = 0;
  return 0;
}

/** Reads a name and its colon. Returns the address of the quote that ends it; 0 if it has escapes. */
function readName(): usize {
  const end = nameEnd(at);
  at = end + 2;
  if (load<u8>(at) === SPACE) at++;
  return end;
}

function skipComma(): bool {
  if (load<u8>(at) !== COMMA) {
    at = 0;
    return false;
  }
  at++;
  if (load<u8>(at) === SPACE) at++;
  return true;
}

/** Returns the number of the attribute in `setFields`, or -1. */
function fieldOf(name: usize, length: usize): i32 {
  for (let i: usize = 0; i < fieldCount; i++) {
    if (load<u32>(fields + 8 * i + 4) !== <u32>length) continue;
    if (memory.compare(load<u32>(fields + 8 * i), name, length) === 0) return <i32>i;
  }
  return -1;
}

/** Reads a value. Returns its hash, which is that of `hashValue` in `checksum.ts`. */
function value(level: i32): u32 {
  const first = load<u8>(at);
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
    if (level === MOST_LEVELS) return fail();
    at++;
    return first === OPEN_OBJECT ? object(level) : array(level);
  }
  if (first === QUOTE) return text(at + 1);
  const end = scalarEnd(at);
  if (end === 0) return fail();
  const from = at;
  at = end;
  return hashBytes(from, end, OTHER);
}

/** Reads a string. Returns the hash of its canonical spelling. @param from address just past the first quote */
function text(from: usize): u32 {
  let end = stringEnd(from);
  if (end !== 0) {
    at = end + 1;
    return hashBytes(from, end, STRING);
  }
  end = respell(from, SCRATCH);
  if (end === 0) return fail();
  at = quoteAt + 1;
  return hashBytes(SCRATCH, end, STRING);
}

function object(level: i32): u32 {
  let sum: u32 = OPEN_OBJECT;
  if (load<u8>(at) !== CLOSE_OBJECT) {
    while (true) {
      const name = at + 1;
      const end = readName();
      if (end === 0) return fail();
      const hash = value(level + 1);
      if (at === 0) return 0;
      sum += hashMember(hashBytes(name, end, STRING), hash);
      if (load<u8>(at) === CLOSE_OBJECT) break;
      if (!skipComma()) return 0;
    }
  }
  at++;
  return hashMember(OTHER, sum);
}

function array(level: i32): u32 {
  let hash: u32 = OPEN_ARRAY;
  if (load<u8>(at) !== CLOSE_ARRAY) {
    while (true) {
      const item = value(level + 1);
      if (at === 0) return 0;
      hash = hashMember(hash, item);
      if (load<u8>(at) === CLOSE_ARRAY) break;
      if (!skipComma()) return 0;
    }
  }
  at++;
  return hash;
}
