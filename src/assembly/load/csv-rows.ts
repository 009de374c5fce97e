/*
 * Reader of plain rows of CSV in AssemblyScript: the twin of `loaders/table/plain-reader.ts`, with the same rules, in
 * SIMD. It reads rows from `INPUT`, finds their cells, and writes the lines of their tasks to `OUTPUT`. A uuid of
 * version 3 of one column is written too; others leave room.
 */

import { checksum, setCompared } from '../hash';
import { ENDS, INPUT, LINES, MOST_CELLS, MOST_ROWS, OUTPUT, SUMS } from '../layout';
import { beginScan, newlines, scanRow, width } from './scan-row';
import { beginOutput, hasRoom, out, setKept, writeRow } from './write-row';

export { added, firstQuote, isCut, setTable } from './scan-row';
export { setUuidColumn } from './write-row';

/** Results of the last `read`, besides those of the scan: see `FoundRows`. */
export let end: usize = 0;
export let nextLine: i32 = 0;

export function setColumns(
  keptAt: usize,
  count: usize,
  size: usize,
  comparedAt: usize,
  comparedCount: usize,
): void {
  setKept(keptAt, count, size);
  setCompared(comparedAt, comparedCount);
}

/** Reads `length` bytes of `INPUT`, which end with a newline. Returns the number of rows. */
export function read(length: usize, line: i32): i32 {
  beginScan(length);
  beginOutput();
  nextLine = line;
  const last = INPUT + length - 1;
  let at = INPUT;
  let rows: usize = 0;
  while (at <= last && rows < MOST_ROWS && (rows + 1) * width <= MOST_CELLS) {
    const next = scanRow(at, rows * width);
    if (next === 0 || !hasRoom(next - at)) break;
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
