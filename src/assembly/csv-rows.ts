/*
 * Reader of plain rows of CSV in AssemblyScript: the twin of `loaders/table/plain-reader.ts`, with the same rules, in
 * SIMD. It reads rows from `INPUT`, finds their cells, and writes the lines of their tasks to `OUTPUT`. A uuid of
 * version 3 of one column is written too; others leave room. The build compiles it to `dist/csv-rows.wasm`. All addresses are in bytes.
 */

import { md5 } from './md5';

const QUOTE: u8 = 34;
const BACKSLASH: u8 = 92;
const RETURN: u8 = 13;
const NEWLINE: u8 = 10;
const DASH: u8 = 45;

const SAME: u8 = 0;
const UNQUOTED: u8 = 1;
const QUOTED: u8 = 2;

/** Bytes between two areas, because vectors are read and written beyond the end of a value. */
const GAP: usize = 64;

/** Area that the host fills: names, the header and lists of columns. */
const TABLES: usize = 1024;
const TABLES_SIZE: usize = 127 * 1024;
const INPUT: usize = TABLES + TABLES_SIZE;
const INPUT_SIZE: usize = 256 * 1024;
/** Start and end of each cell, from `INPUT` on. */
const CELLS: usize = INPUT + INPUT_SIZE + GAP;
const MOST_CELLS: usize = 64 * 1024;
const KINDS: usize = CELLS + 8 * MOST_CELLS;
/** By row: the number of its line, the end of its line in the output, and its checksum. */
const LINES: usize = KINDS + MOST_CELLS;
const MOST_ROWS: usize = 16 * 1024;
const ENDS: usize = LINES + 4 * MOST_ROWS;
const SUMS: usize = ENDS + 4 * MOST_ROWS;
/** By row: its UUID of version 3, if that is made of one column. */
const UUIDS: usize = SUMS + 4 * MOST_ROWS;
/** Namespace of the uuids, which the host writes, and a name. */
const NAME: usize = UUIDS + 16 * MOST_ROWS;
const NAMESPACE_SIZE: usize = 16;
/** By column: start and end of its value in the output. */
const VALUES: usize = NAME + NAMESPACE_SIZE + INPUT_SIZE + 2 * GAP;
const MOST_COLUMNS: usize = 4096;
const OUTPUT: usize = VALUES + 8 * MOST_COLUMNS;
const OUTPUT_SIZE: usize = 2 * 1024 * 1024;

/** Names of the addresses and sizes for the host. */
export {
  CELLS as cellsAt,
  ENDS as endsAt,
  INPUT as inputAt,
  INPUT_SIZE as inputSize,
  KINDS as kindsAt,
  LINES as linesAt,
  MOST_COLUMNS as mostColumns,
  NAME as nameAt,
  OUTPUT as outputAt,
  SUMS as sumsAt,
  TABLES as tablesAt,
  TABLES_SIZE as tablesSize,
  UUIDS as uuidsAt,
};

/** Results of the last `read`: see `FoundRows`. */
export let end: usize = 0;
export let nextLine: i32 = 0;
export let added: i32 = 0;
export let firstQuote: usize = 0;
export let isCut: bool = false;

/** Settings of a table. */
let width: usize = 0;
let separator: u8 = 0;
let comment: i32 = -1;
let maxLine: usize = 0;
/** Column, address and length of the text before the value of each column of a task. */
let kept: usize = 0;
let keptCount: usize = 0;
/** Number of bytes of these texts. */
let keptSize: usize = 0;
/** Column and hash of the name of each column in the checksum. */
let compared: usize = 0;
let comparedCount: usize = 0;
/** Column that the uuid is made of; -1 if it is made of none or several. */
let uuidColumn: i32 = -1;
/** Address and length of each cell of the header: a length of -1 is like any cell. 0: there is no header. */
let header: usize = 0;
/** By column: 1 if its cells may have doubled quotes. */
let canDouble: usize = 0;

/** State of the current row. */
let newlines: i32 = 0;
let lineStart: usize = 0;
let looksJoined: bool = false;
let last: usize = 0;
/** End of the output so far. */
let out: usize = 0;

export function setTable(
  columns: usize,
  delimiter: u8,
  commentByte: i32,
  mostBytes: usize,
  doubles: usize,
  head: usize,
): void {
  width = columns;
  separator = delimiter;
  comment = commentByte;
  maxLine = mostBytes;
  canDouble = doubles;
  header = head;
}

export function setColumns(
  keptAt: usize,
  count: usize,
  size: usize,
  comparedAt: usize,
  comparedSize: usize,
): void {
  kept = keptAt;
  keptCount = count;
  keptSize = size;
  compared = comparedAt;
  comparedCount = comparedSize;
}

export function setUuidColumn(column: i32): void {
  uuidColumn = column;
}

/** Reads `length` bytes of `INPUT`, which end with a newline. Returns the number of rows. */
export function read(length: usize, line: i32): i32 {
  if (added > 0) memory.fill(KINDS, SAME, MOST_CELLS);
  added = 0;
  isCut = false;
  firstQuote = length;
  last = INPUT + length - 1;
  out = OUTPUT;
  nextLine = line;
  let at = INPUT;
  let rows: usize = 0;
  while (at <= last && rows < MOST_ROWS && (rows + 1) * width <= MOST_CELLS) {
    const next = scanRow(at, rows * width);
    if (next === 0 || out + 6 * (next - at) + keptSize + 2 * GAP > OUTPUT + OUTPUT_SIZE) break;
    store<i32>(LINES + 4 * rows, nextLine);
    writeRow(rows);
    store<u32>(ENDS + 4 * rows, <u32>(out - OUTPUT));
    store<u32>(SUMS + 4 * rows, checksum());
    nextLine += newlines + 1;
    rows++;
    at = next;
  }
  end = at - INPUT;
  return <i32>rows;
}

/** Finds the cells of a row, the first of which has the number `first`. Returns the start of the next row, or 0. */
function scanRow(start: usize, first: usize): usize {
  if (<i32>load<u8>(start) === comment) return 0;
  let at = start;
  newlines = 0;
  lineStart = start;
  looksJoined = width > 1;
  let column: usize = 0;
  while (true) {
    const cell = CELLS + 8 * (first + column);
    const isQuoted = load<u8>(at) === QUOTE;
    if (isQuoted) at++;
    const from = at;
    at = isQuoted ? scanQuoted(at, first + column, column) : scanUnquoted(at, first + column);
    if (at === 0) return 0;
    store<u32>(cell, <u32>(from - INPUT));
    store<u32>(cell + 4, <u32>(at - INPUT));
    if (isQuoted) at++;
    else if (at === start && load<u8>(at) !== separator) return 0;
    if (++column === width) break;
    if (load<u8>(at++) !== separator) return 0;
  }
  if (load<u8>(at) === RETURN) at++;
  return load<u8>(at) === NEWLINE && isData(start, at, CELLS + 8 * first) ? at + 1 : 0;
}

/** Returns the next byte that is below 32, a quote, a backslash or `other`. The last byte of the input is one. */
function nextStop(from: usize, other: u8): usize {
  const others = i8x16.splat(other);
  let at = from;
  while (true) {
    const bytes = v128.load(at);
    const marks = v128.or(i8x16.eq(bytes, i8x16.splat(QUOTE)), i8x16.eq(bytes, i8x16.splat(BACKSLASH)));
    const controls = v128.or(i8x16.lt_u(bytes, i8x16.splat(32)), i8x16.eq(bytes, others));
    const stops = i8x16.bitmask(v128.or(marks, controls));
    if (stops !== 0) return at + ctz(stops);
    at += 16;
  }
}

function scanUnquoted(from: usize, cell: usize): usize {
  let at = from;
  while (true) {
    at = nextStop(at, separator);
    const byte = load<u8>(at);
    if (byte === separator || byte === NEWLINE) return at;
    if (byte === RETURN && load<u8>(at + 1) === NEWLINE) return at;
    if (byte === 0) return 0;
    if (byte === QUOTE && at - INPUT < firstQuote) firstQuote = at - INPUT;
    markCell(cell, UNQUOTED);
    at++;
  }
}

function scanQuoted(from: usize, cell: usize, column: usize): usize {
  if (from - INPUT < firstQuote) firstQuote = from - INPUT;
  let at = from;
  while (true) {
    at = nextStop(at, QUOTE);
    const byte = load<u8>(at);
    if (byte === QUOTE) {
      if (load<u8>(at + 1) !== QUOTE) return at;
      if (load<u8>(canDouble + column) === 0) return 0;
      at++;
    } else {
      isCut = at === last;
      if (isCut || byte === 0) return 0;
      if (byte === NEWLINE) newline(at);
    }
    markCell(cell, QUOTED);
    at++;
  }
}

/** Notes that a cell has bytes that JSON escapes, or doubled quotes. */
function markCell(cell: usize, kind: u8): void {
  store<u8>(KINDS + cell, kind);
  added += 5;
}

function newline(at: usize): void {
  looksJoined = looksJoined && isRowLong(lineStart, at);
  lineStart = at + 1;
  newlines++;
}

/** Returns whether a line has as many separators as a row. */
function isRowLong(from: usize, before: usize): bool {
  let found: usize = 1;
  for (let at = from; at < before; at++) if (load<u8>(at) === separator) found++;
  return found === width;
}

/** Returns whether a row is neither too long, nor maybe the header again or rows that quotes have joined. */
function isData(start: usize, before: usize, cells: usize): bool {
  if (before - start > maxLine) return false;
  const from = INPUT + load<u32>(cells);
  if ((load<u32>(from) & 0xffffff) === 0xbfbbef) return false; // a byte order mark
  if (newlines > 1 && looksJoined && isRowLong(lineStart, before)) return false;
  return header === 0 || !isHeader(cells);
}

function isHeader(cells: usize): bool {
  for (let column: usize = 0; column < width; column++) {
    const length = load<i32>(header + 8 * column + 4);
    const from = load<u32>(cells + 8 * column);
    if (length < 0) continue;
    if (length !== <i32>(load<u32>(cells + 8 * column + 4) - from)) return false;
    if (memory.compare(load<u32>(header + 8 * column), INPUT + from, length) !== 0) return false;
  }
  return true;
}

/** Writes the line of a task, with room for the uuid. */
function writeRow(row: usize): void {
  store<u32>(out, 0x7575227b); // {"uu
  store<u32>(out + 4, 0x3a226469); // id":
  store<u8>(out + 8, QUOTE);
  if (uuidColumn >= 0) writeUuid(row, out + 9);
  out += 9 + 36;
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

/** Makes the UUID of version 3 of a row, and writes its text. */
function writeUuid(row: usize, to: usize): void {
  const cell = CELLS + 8 * (row * width + <usize>uuidColumn);
  const from = load<u32>(cell);
  const length = load<u32>(cell + 4) - from;
  memory.copy(NAME + NAMESPACE_SIZE, INPUT + from, length);
  const uuid = UUIDS + 16 * row;
  md5(NAME, NAMESPACE_SIZE + length, uuid);
  store<u8>(uuid + 6, (load<u8>(uuid + 6) & 0x0f) | 0x30);
  store<u8>(uuid + 8, (load<u8>(uuid + 8) & 0x3f) | 0x80);
  writeDigits(v128.load(uuid), to);
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
    writeEscape(byte);
    if (byte === QUOTE && kind === QUOTED) at++; // a doubled quote is one
  }
}

function writeEscape(byte: u8): void {
  store<u8>(out, BACKSLASH);
  const letter = letterOf(byte);
  if (letter !== 0) {
    store<u8>(out + 1, letter);
    out += 2;
    return;
  }
  store<u32>(out + 1, 0x30303075); // u000
  store<u8>(out + 4, 48 + (byte >> 4));
  const low: u8 = byte & 15;
  store<u8>(out + 5, low < 10 ? 48 + low : 87 + low);
  out += 6;
}

/** Returns the letter that stands for a byte after a backslash, or 0. */
function letterOf(byte: u8): u8 {
  if (byte === QUOTE || byte === BACKSLASH) return byte;
  if (byte === NEWLINE) return 110; // n
  if (byte === RETURN) return 114; // r
  if (byte === 9) return 116; // t
  if (byte === 8) return 98; // b
  return byte === 12 ? 102 : 0; // f
}

/** Returns the checksum of the last row that was written: see `checksum.ts`. */
function checksum(): u32 {
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
