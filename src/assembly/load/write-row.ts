/* Writes the lines of tasks to `OUTPUT`: from the cells that `scan-row.ts` has found, or from records of JSON. */

import { NEWLINE, nextStop, QUOTE } from '../bytes';
import { writeEscape } from '../json/respell';
import {
  CELLS,
  GAP,
  INPUT,
  KINDS,
  NAME,
  NAMESPACE_SIZE,
  OUTPUT,
  OUTPUT_SIZE,
  QUOTED,
  SAME,
  UUIDS,
  VALUES,
} from '../layout';
import { md5 } from '../md5';
import { width } from './scan-row';

const DASH: u8 = 45;
/** Bytes of a line before the quote that ends the uuid. */
const LINE_START: usize = 9 + 36;

/** Column, address and length of the text before the value of each column of a task. */
let kept: usize = 0;
let keptCount: usize = 0;
/** Number of bytes of these texts. */
let keptSize: usize = 0;
/** Column that the uuid is made of; -1 if it is made of none or several. */
let uuidColumn: i32 = -1;
/** End of the output so far. */
export let out: usize = 0;

export function setKept(at: usize, count: usize, size: usize): void {
  kept = at;
  keptCount = count;
  keptSize = size;
}

export function setUuidColumn(column: i32): void {
  uuidColumn = column;
}

export function beginOutput(): void {
  out = OUTPUT;
}

/** Returns whether the line of a row of this many bytes fits into the output, even if all of them are escaped. */
export function hasRoom(size: usize): bool {
  return out + 6 * size + keptSize + 2 * GAP <= OUTPUT + OUTPUT_SIZE;
}

/** Writes the line of a task from the cells of a row, with room for the uuid. */
export function writeRow(row: usize): void {
  beginLine();
  if (uuidColumn >= 0) writeUuid(row, out - LINE_START, CELLS + 8 * (row * width + <usize>uuidColumn));
  for (let i: usize = 0; i < keptCount; i++) {
    const column = load<u32>(kept + 12 * i);
    copy(load<u32>(kept + 12 * i + 4), load<u32>(kept + 12 * i + 8));
    const cell = row * width + column;
    const from = INPUT + load<u32>(CELLS + 8 * cell);
    const before = INPUT + load<u32>(CELLS + 8 * cell + 4);
    store<u32>(VALUES + 8 * column, <u32>out);
    const kind = load<u8>(KINDS + cell);
    if (kind === SAME) copy(from, before - from);
    else copyEscaped(from, before, kind);
    store<u32>(VALUES + 8 * column + 4, <u32>out);
  }
  store<u32>(out, 0x0a7d22); // "}
  out += 3;
}

/** Writes the line of a task from a JSON object that is not empty, with room for the uuid. Returns its address. */
export function writeRecord(start: usize, end: usize): usize {
  const line = out;
  beginLine();
  store<u16>(out, 0x2c22); // ",
  out += 2;
  copy(start + 1, end - start - 1);
  store<u8>(out++, NEWLINE);
  return line;
}

/** Writes `{"uuid":"` and leaves room for the uuid. */
function beginLine(): void {
  store<u32>(out, 0x7575227b); // {"uu
  store<u32>(out + 4, 0x3a226469); // id":
  store<u8>(out + 8, QUOTE);
  out += LINE_START;
}

/** Makes the UUID of version 3 of a row, and writes its text into the line. @param cell address of the place of its name */
export function writeUuid(row: usize, line: usize, cell: usize): void {
  const from = load<u32>(cell);
  const length = load<u32>(cell + 4) - from;
  memory.copy(NAME + NAMESPACE_SIZE, INPUT + from, length);
  putUuid(row, line, length);
}

/** Does the same as `writeUuid` with the name of this length that is in `NAME`. */
export function putUuid(row: usize, line: usize, length: usize): void {
  const uuid = UUIDS + 16 * row;
  md5(NAME, NAMESPACE_SIZE + length, uuid);
  store<u8>(uuid + 6, (load<u8>(uuid + 6) & 0x0f) | 0x30);
  store<u8>(uuid + 8, (load<u8>(uuid + 8) & 0x3f) | 0x80);
  writeDigits(v128.load(uuid), line + 9);
}

/** Writes 16 bytes as the text of a UUID. */
function writeDigits(bytes: v128, to: usize): void {
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  const high = i8x16.swizzle(digits, i8x16.shr_u(bytes, 4));
  const low = i8x16.swizzle(digits, v128.and(bytes, i8x16.splat(15)));
  const first = i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const second = i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  v128.store64_lane(to, first, 0);
  store<u8>(to + 8, DASH);
  v128.store32_lane(to + 9, first, 2);
  store<u8>(to + 13, DASH);
  v128.store32_lane(to + 14, first, 3);
  store<u8>(to + 18, DASH);
  v128.store32_lane(to + 19, second, 0);
  store<u8>(to + 23, DASH);
  v128.store32_lane(to + 24, second, 1);
  v128.store32_lane(to + 28, second, 2);
  v128.store32_lane(to + 32, second, 3);
}

function copy(from: usize, length: usize): void {
  if (length > 256) memory.copy(out, from, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(from + i));
  out += length;
}

function copyEscaped(from: usize, before: usize, kind: u8): void {
  for (let at = from; at < before; at++) {
    let stop = nextStop(at, QUOTE);
    if (stop > before) stop = before;
    copy(at, stop - at);
    at = stop;
    if (at === before) return;
    const byte = load<u8>(at);
    out = writeEscape(byte, out);
    if (byte === QUOTE && kind === QUOTED) at++; // a doubled quote is one
  }
}
