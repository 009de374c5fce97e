/* Names of the members of JSON objects, and the list of the members of the objects that are open, to sort them by name. */

import { COLON, QUOTE } from '../bytes';
import { MEMBERS, MOST_MEMBERS } from '../layout';
import { hasEscape, stringEnd } from './scan-json';

/** Returns the address of the quote that ends a name, which a colon follows; 0 if it has escapes. */
export function nameEnd(quote: usize): usize {
  const end = load<u8>(quote) === QUOTE ? stringEnd(quote + 1) : 0;
  return end === 0 || hasEscape || load<u8>(end + 1) !== COLON ? 0 : end;
}

/** Returns whether only records that were tasks before have an attribute of this name: `uuid`, `run` or `result`. */
export function isReserved(name: usize, length: usize): bool {
  if (length === 4) return load<u32>(name) === 0x64697575;
  if (length === 3) return (load<u32>(name) & 0xffffff) === 0x6e7572;
  return length === 6 && load<u32>(name) === 0x75736572 && load<u16>(name + 4) === 0x746c;
}

/** Bytes of an entry: the first 8 bytes of the name as a number; address and length of the name; start and end of the text. */
const ENTRY: usize = 24;

/** Number of members in the list. */
export let memberCount: usize = 0;

/** Deletes all members but the first ones. */
export function keepMembers(count: usize): void {
  memberCount = count;
}

/** Adds a member. Returns its address; 0 if the list is full. @param start address of its text */
export function addMember(name: usize, length: usize, start: usize): usize {
  if (memberCount === MOST_MEMBERS) return 0;
  const member = memberAt(memberCount++);
  const unused: u64 = length < 8 ? 64 - 8 * length : 0;
  const bytes = bswap(load<u64>(name));
  store<u64>(member, length === 0 ? 0 : (bytes >> unused) << unused);
  store<u32>(member + 8, <u32>name);
  store<u32>(member + 12, <u32>length);
  store<u32>(member + 16, <u32>start);
  return member;
}

/** Sets the end of the text of a member. */
export function endMember(member: usize, end: usize): void {
  store<u32>(member + 20, <u32>end);
}

export function startOf(index: usize): usize {
  return load<u32>(memberAt(index) + 16);
}

export function endOf(index: usize): usize {
  return load<u32>(memberAt(index) + 20);
}

function memberAt(index: usize): usize {
  return MEMBERS + ENTRY * index;
}

/** Returns whether the name of the last member is after that of the one before it. */
export function isLastAfter(): bool {
  return isBefore(memberAt(memberCount - 2), memberAt(memberCount - 1));
}

/** Returns whether the name of a member is before that of another: by code point, which is the order of the bytes of UTF-8. */
function isBefore(member: usize, other: usize): bool {
  const start = load<u64>(member);
  const otherStart = load<u64>(other);
  if (start !== otherStart) return start < otherStart;
  const length = load<u32>(member + 12);
  const otherLength = load<u32>(other + 12);
  const both = min(length, otherLength);
  const order = both <= 8 ? 0 : memory.compare(load<u32>(member + 8) + 8, load<u32>(other + 8) + 8, both - 8);
  return order === 0 ? length < otherLength : order < 0;
}

/** Sorts the members from `first` on by name (Shellsort). Returns false if two of them have the same name. */
export function sortMembers(first: usize): bool {
  const held = memberAt(memberCount); // the list has room for one more
  let gap = memberCount - first;
  while (gap > 1) {
    gap = gap < 5 ? 1 : (gap * 5) / 11;
    for (let i = first + gap; i < memberCount; i++) {
      move(memberAt(i), held);
      let at = i;
      while (at >= first + gap && isBefore(held, memberAt(at - gap))) {
        move(memberAt(at - gap), memberAt(at));
        at -= gap;
      }
      move(held, memberAt(at));
    }
  }
  for (let i = first + 1; i < memberCount; i++) if (!isBefore(memberAt(i - 1), memberAt(i))) return false;
  return true;
}

function move(from: usize, to: usize): void {
  v128.store(to, v128.load(from));
  store<u64>(to + 16, load<u64>(from + 16));
}
