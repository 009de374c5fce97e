/*
 * Canonical text of a record that was not a task before: see `core/record/canonical-json.ts`. White space is left out,
 * strings are written in one spelling, and members are sorted at every level. It supports the same text as `json-rows.ts`.
 */

import { CLOSE_ARRAY, CLOSE_OBJECT, COMMA, OPEN_ARRAY, OPEN_OBJECT, QUOTE, SPACE } from '../bytes';
import {
  addMember,
  endMember,
  endOf,
  isLastAfter,
  isReserved,
  keepMembers,
  memberCount,
  nameEnd,
  sortMembers,
  startOf,
} from '../json/json-names';
import { quoteAt, respell } from '../json/respell';
import { scalarEnd, stringEnd } from '../json/scan-json';
import { MOST_LEVELS, NAME, NAMESPACE_SIZE, SCRATCH } from '../layout';

/** Position in the input. */
let at: usize = 0;
/** Start of the input that is not written yet: text that stays as it is. */
let pending: usize = 0;
/** End of what is written to `SCRATCH`. */
let to: usize = 0;

/** Writes the canonical text of a record to `NAME`, after the namespace. Returns the end of the record, or 0. */
export function canonicalRecord(from: usize): usize {
  at = from;
  pending = from;
  to = SCRATCH;
  keepMembers(0);
  return load<u8>(at) === OPEN_OBJECT && load<u8>(at + 1) !== CLOSE_OBJECT && object(0) ? at : 0;
}

/** Returns the number of bytes of the text that `canonicalRecord` wrote. */
export function canonicalSize(): usize {
  return to - SCRATCH;
}

/** Reads an object. Returns false if it is not supported. @param level number of objects and arrays around it */
function object(level: i32): bool {
  const first = memberCount;
  let isSorted = true;
  at++;
  if (load<u8>(at) !== CLOSE_OBJECT) {
    while (true) {
      const end = nameEnd(at);
      if (end === 0 || (level === 0 && isReserved(at + 1, end - at - 1))) return false;
      const member = addMember(at + 1, end - at - 1, placeOf(at));
      if (member === 0) return false;
      if (isSorted && memberCount > first + 1) isSorted = isLastAfter();
      at = end + 1;
      skipMark();
      if (!value(level + 1)) return false;
      endMember(member, placeOf(at));
      if (load<u8>(at) === CLOSE_OBJECT) break;
      if (load<u8>(at) !== COMMA) return false;
      skipMark();
    }
  }
  at++;
  if (!isSorted || level === 0) {
    flush(at);
    const start = startOf(first);
    if (!isSorted && !sortMembers(first)) return false;
    const size = gather(first) - NAME - NAMESPACE_SIZE;
    if (level > 0) memory.copy(start - 1, NAME + NAMESPACE_SIZE, size);
  }
  keepMembers(first);
  return true;
}

function array(level: i32): bool {
  at++;
  if (load<u8>(at) !== CLOSE_ARRAY) {
    while (true) {
      if (!value(level + 1)) return false;
      if (load<u8>(at) === CLOSE_ARRAY) break;
      if (load<u8>(at) !== COMMA) return false;
      skipMark();
    }
  }
  at++;
  return true;
}

function value(level: i32): bool {
  const first = load<u8>(at);
  if (first === QUOTE) return text(at + 1);
  if (first === OPEN_OBJECT) return level < MOST_LEVELS && object(level);
  if (first === OPEN_ARRAY) return level < MOST_LEVELS && array(level);
  at = scalarEnd(at);
  return at !== 0;
}

/** Reads a string. @param from address just past the first quote */
function text(from: usize): bool {
  const end = stringEnd(from);
  if (end !== 0) {
    at = end + 1;
    return true;
  }
  flush(from);
  to = respell(from, to);
  if (to === 0) return false;
  pending = quoteAt;
  at = quoteAt + 1;
  return true;
}

/** Skips a comma or colon, and the space after it, which is not written. */
function skipMark(): void {
  at++;
  if (load<u8>(at) !== SPACE) return;
  flush(at);
  at++;
  pending = at;
}

/** Returns the address in `SCRATCH` of the text from an address of the input on, which is not written yet. */
function placeOf(address: usize): usize {
  return to + address - pending;
}

/** Writes the input up to an address. */
function flush(end: usize): void {
  copy(pending, to, end - pending);
  to += end - pending;
  pending = end;
}

/** Writes an object of the members from `first` on to `NAME`. Returns its end. */
function gather(first: usize): usize {
  let end = NAME + NAMESPACE_SIZE;
  for (let i = first; i < memberCount; i++) {
    store<u8>(end++, i === first ? OPEN_OBJECT : COMMA);
    const start = startOf(i);
    const size = endOf(i) - start;
    copy(start, end, size);
    end += size;
  }
  store<u8>(end, CLOSE_OBJECT);
  return end + 1;
}

/** Copies bytes. It may write 16 bytes more. */
function copy(from: usize, target: usize, length: usize): void {
  if (length > 256) memory.copy(target, from, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(target + i, v128.load(from + i));
}
