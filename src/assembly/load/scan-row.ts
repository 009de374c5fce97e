/* Finds the cells of rows of CSV in `INPUT`. */

import { NEWLINE, nextStop, QUOTE, RETURN } from '../bytes';
import { CELLS, INPUT, KINDS, MOST_CELLS, QUOTED, SAME, UNQUOTED } from '../layout';

/** Results since `beginScan`: see `FoundRows`. */
export let added: i32 = 0;
export let firstQuote: usize = 0;
export let isCut: bool = false;

/** Number of newlines in the cells of the last row. */
export let newlines: i32 = 0;

/** Settings of a table. */
export let width: usize = 0;
let separator: u8 = 0;
let comment: i32 = -1;
let maxLine: usize = 0;
/** Address and length of each cell of the header: a length of -1 is like any cell. 0: there is no header. */
let header: usize = 0;
/** By column: 1 if its cells may have doubled quotes. */
let canDouble: usize = 0;

/** State of the current row. */
let lineStart: usize = 0;
let looksJoined: bool = false;
/** Last byte of the input. */
let last: usize = 0;

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

/** Begins with an input of `length` bytes. */
export function beginScan(length: usize): void {
  if (added > 0) memory.fill(KINDS, SAME, MOST_CELLS);
  added = 0;
  isCut = false;
  firstQuote = length;
  last = INPUT + length - 1;
}

/** Finds the cells of a row, the first of which has the number `first`. Returns the start of the next row, or 0. */
export function scanRow(start: usize, first: usize): usize {
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
