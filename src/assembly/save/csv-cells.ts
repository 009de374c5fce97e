/*
 * Writer of tasks as rows of CSV. It reads lines of NDJSON from `INPUT`, and writes the rows of those whose values have
 * columns to `OUTPUT`; all other lines are left to the host. See `core/simd/row-form.ts`.
 */

import { NEWLINE, QUOTE, RETURN } from '../bytes';
import { decodeString } from '../json/respell';
import {
  ENDS,
  GAP,
  INPUT,
  LINES,
  MOST_ROWS,
  NAME,
  OUTPUT,
  OUTPUT_SIZE,
  UUIDS as RESULTS,
  SCRATCH,
} from '../layout';
import { BEFORE, ESCAPED, FROM, findCells, IS_USED, isFound, KIND, NOTHING, TEXT } from './find-cells';

/** Nodes of the columns, of `uuid`, `run` and `run.state`. */
let columns: usize = 0;
let columnCount: usize = 0;
let uuidNode: usize = 0;
let runNode: usize = 0;
let stateNode: usize = 0;
let delimiter: u8 = 0;
let isCrlf: bool = false;

/** End of the output so far. */
let out: usize = 0;
/** End of the lines of the last `writeRows`, in bytes from the beginning of the input. */
export let linesEnd: usize = 0;

export function setRowForm(
  address: usize,
  count: usize,
  uuid: usize,
  run: usize,
  state: usize,
  separator: u8,
  crlf: i32,
): void {
  columns = address;
  columnCount = count;
  uuidNode = uuid;
  runNode = run;
  stateNode = state;
  delimiter = separator;
  isCrlf = crlf !== 0;
}

/**
 * Writes the rows of `length` bytes of `INPUT`, which end with a newline, and their uuids from `NAME` on. Returns the number
 * of lines. By line: `LINES` has its start in the input, `ENDS` the end of its row in the output. `RESULTS` has two numbers for
 * each: the end of its uuid, and 0 for a line without a row, 1 for a task without a state, 2 for a success.
 */
export function writeRows(length: usize): i32 {
  out = OUTPUT;
  const last = INPUT + length - 1;
  let start = INPUT;
  let line: usize = 0;
  let uuidEnd = NAME;
  while (start <= last && line < MOST_ROWS) {
    const end = findCells(start);
    let next = end;
    if (end !== 0 && load<u8>(next) === RETURN) next++;
    const row = out;
    let state: u32 = end !== 0 && load<u8>(next) === NEWLINE ? stateOfTask() : 0;
    if (state === 0 || !isUuid() || !hasRoom(next - start) || !writeRow()) {
      state = 0;
      out = row;
      next = nextOf(start, NEWLINE, NEWLINE, NEWLINE, NEWLINE);
    } else {
      const from = load<u32>(uuidNode + FROM);
      const size = load<u32>(uuidNode + BEFORE) - from;
      for (let i: usize = 0; i < size; i += 16) v128.store(uuidEnd + i, v128.load(from + i));
      uuidEnd += size;
    }
    store<u32>(LINES + 4 * line, <u32>(start - INPUT));
    store<u32>(ENDS + 4 * line, <u32>(out - OUTPUT));
    store<u32>(RESULTS + 8 * line, <u32>(uuidEnd - NAME));
    store<u32>(RESULTS + 8 * line + 4, state);
    line++;
    start = next + 1;
  }
  linesEnd = start - INPUT;
  return <i32>line;
}

function hasRoom(size: usize): bool {
  return out + 2 * size + 4 * columnCount + GAP <= OUTPUT + OUTPUT_SIZE;
}

/** Returns 1 if the last record has no run, 2 if its state is SUCCESS, 0 otherwise. */
function stateOfTask(): u32 {
  if (!isFound(runNode)) return 1;
  if (!isFound(stateNode) || load<u32>(stateNode + KIND) !== TEXT) return 0;
  const from = load<u32>(stateNode + FROM);
  if (load<u32>(stateNode + BEFORE) - from !== 7) return 0;
  return load<u32>(from) === 0x43435553 && load<u32>(from + 3) === 0x53534543 ? 2 : 0; // SUCC CESS
}

/** Returns whether the uuid is 1 to 64 characters of printable ASCII, the first one not a space. */
function isUuid(): bool {
  if (!isFound(uuidNode) || load<u32>(uuidNode + KIND) !== TEXT) return false;
  const from = load<u32>(uuidNode + FROM);
  const before = load<u32>(uuidNode + BEFORE);
  if (from === before || before - from > 64 || load<u8>(from) === 32) return false;
  for (let i = from; i < before; i++) if (load<u8>(i) > 0x7e) return false;
  return true;
}

/** Returns the next byte that is one of these. */
function nextOf(from: usize, a: u8, b: u8, c: u8, d: u8): usize {
  let at = from;
  while (true) {
    const bytes = v128.load(at);
    const first = v128.or(i8x16.eq(bytes, i8x16.splat(a)), i8x16.eq(bytes, i8x16.splat(b)));
    const second = v128.or(i8x16.eq(bytes, i8x16.splat(c)), i8x16.eq(bytes, i8x16.splat(d)));
    const stops = i8x16.bitmask(v128.or(first, second));
    if (stops !== 0) return at + ctz(stops);
    at += 16;
  }
}

/** Writes the row of the last record. Returns false for a value that a row of text cannot hold. */
function writeRow(): bool {
  const start = out;
  for (let i: usize = 0; i < columnCount; i++) {
    if (i > 0) store<u8>(out++, delimiter);
    const node = load<u32>(columns + 4 * i);
    if (!isFound(node)) continue;
    store<u32>(node + IS_USED, 1);
    if (!writeCell(node)) return false;
  }
  if (out === start && columnCount === 1) {
    store<u16>(out, 0x2222); // a blank line is not a row
    out += 2;
  }
  if (isCrlf) store<u8>(out++, RETURN);
  store<u8>(out++, NEWLINE);
  return true;
}

function writeCell(node: usize): bool {
  const kind = load<u32>(node + KIND);
  if (kind === NOTHING) return true;
  let from: usize = load<u32>(node + FROM);
  let before: usize = load<u32>(node + BEFORE);
  if (kind === ESCAPED) {
    before = decodeString(from, SCRATCH);
    from = SCRATCH;
    store<u16>(before, NEWLINE); // ends searches, as the end of a line does; the NUL behind it, the next one
    if (nextOf(from, 0, 0, 0, 0) < before) return false;
  }
  if (nextOf(from, QUOTE, delimiter, NEWLINE, RETURN) >= before) copy(from, before - from);
  else {
    store<u8>(out++, QUOTE);
    copyQuotes(from, before);
    store<u8>(out++, QUOTE);
  }
  return true;
}

/** Copies text, with its quotes doubled. */
function copyQuotes(from: usize, before: usize): void {
  for (let at = from; at < before; ) {
    let stop = nextOf(at, QUOTE, NEWLINE, QUOTE, NEWLINE);
    if (stop < before) stop++;
    else stop = before;
    copy(at, stop - at);
    if (load<u8>(stop - 1) === QUOTE) store<u8>(out++, QUOTE);
    at = stop;
  }
}

function copy(from: usize, length: usize): void {
  if (length > 256) memory.copy(out, from, length);
  else for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(from + i));
  out += length;
}
