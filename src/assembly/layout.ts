/*
 * Areas of the memory of `csv-rows.ts`, which the host reads and writes too. All addresses and sizes are in bytes.
 */

/** Bytes between two areas, because vectors are read and written beyond the end of a value. */
export const GAP: usize = 64;

/** Area that the host fills: names, the header and lists of columns. */
export const TABLES: usize = 1024;
export const TABLES_SIZE: usize = 127 * 1024;
export const INPUT: usize = TABLES + TABLES_SIZE;
export const INPUT_SIZE: usize = 256 * 1024;
/** Start and end of each cell, from `INPUT` on. */
export const CELLS: usize = INPUT + INPUT_SIZE + GAP;
export const MOST_CELLS: usize = 64 * 1024;
export const KINDS: usize = CELLS + 8 * MOST_CELLS;
/** By row: the number of its line, the end of its line in the output, and its checksum. */
export const LINES: usize = KINDS + MOST_CELLS;
export const MOST_ROWS: usize = 16 * 1024;
export const ENDS: usize = LINES + 4 * MOST_ROWS;
export const SUMS: usize = ENDS + 4 * MOST_ROWS;
/** By row: its UUID of version 3, if that is made of one column. */
export const UUIDS: usize = SUMS + 4 * MOST_ROWS;
/** Namespace of the uuids, which the host writes, and a name. */
export const NAME: usize = UUIDS + 16 * MOST_ROWS;
export const NAMESPACE_SIZE: usize = 16;
/** By column: start and end of its value in the output. */
export const VALUES: usize = NAME + NAMESPACE_SIZE + INPUT_SIZE + 2 * GAP;
export const MOST_COLUMNS: usize = 4096;
export const OUTPUT: usize = VALUES + 8 * MOST_COLUMNS;
export const OUTPUT_SIZE: usize = 2 * 1024 * 1024;
/** Text that is made of a record of JSON, which is not longer. */
export const SCRATCH: usize = OUTPUT + OUTPUT_SIZE + GAP;
/** Members of the objects of JSON that are open, and one more. */
export const MEMBERS: usize = SCRATCH + INPUT_SIZE + GAP;
export const MOST_MEMBERS: usize = 2048;
/** Levels of objects and arrays of JSON that are read. */
export const MOST_LEVELS: i32 = 32;

/** Kinds of cells in `KINDS`: bytes to copy; bytes to escape; the same in quotes, which may be doubled. */
export const SAME: u8 = 0;
export const UNQUOTED: u8 = 1;
export const QUOTED: u8 = 2;
