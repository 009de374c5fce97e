import { bufferedUuid, NAME_AT, nameBuffer, nameUuidBytes } from '../../core/ids/index.ts';
import type { Columns, PlainRows } from '../../loaders/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { LeftOut, LoadCounts } from './load-tasks.ts';
import type { Seen } from './seen-uuids.ts';

/** Converter of plain rows to the lines of their tasks, each with its newline. */
export interface PlainMaker {
  /**
   * Returns whether rows with these columns can be converted. Rows with their own uuid need records. Rows without columns
   * have the uuid of version 3 of the whole record.
   */
  takes(columns: Columns): boolean;
  /** Converts rows. @param source file that they are from */
  toLines(rows: PlainRows, source: string): Buffer;
}

/**
 * Returns a converter whose lines are those of the tasks of `taskMaker`; undefined if the options need tasks.
 */
export function plainMaker(
  options: LoadOptions,
  counts: LoadCounts,
  { finished, seen }: LeftOut,
): PlainMaker | undefined {
  const { uuidFields, uuid: version = 3 } = options;
  if (version === 4 || version === 7 || needsTasks(options)) return undefined;
  const uuidOf = uuidMaker(options, version);
  const isDuplicate = duplicateFinder(uuidFields !== undefined);
  return {
    takes: ({ names, uuid }) =>
      names.length === 0
        ? uuidFields === undefined && version === 3
        : uuidFields !== undefined || uuid === undefined,
    toLines(rows, source) {
      const lines = rows.roomForLines();
      let end = 0;
      counts.read += rows.length;
      for (let row = 0; row < rows.length; row++) {
        const uuid = uuidOf(rows, row);
        if (finished?.hasUuid(uuid)) counts.finished++;
        else if (seen !== undefined && isDuplicate(seen, uuid, rows, row, source)) counts.duplicates++;
        else {
          end = rows.writeLine(row, uuid, lines, end);
          counts.loaded++;
        }
      }
      return lines.subarray(0, end);
    },
  };
}

/**
 * Returns whether options need each record, or a count of tasks. Such options are rare, or the fast path would save
 * little with them.
 */
function needsTasks(options: LoadOptions): boolean {
  const { encoding, require, offset, limit, sample, shard, duplicates, select = [] } = options;
  if (encoding !== undefined || require !== undefined || offset || duplicates === 'fail') return true;
  if (new Set(select).size < select.length) return true; // a value written several times may not fit
  return limit !== undefined || sample !== undefined || shard !== undefined;
}

/** Returns a function that returns whether a uuid is a duplicate, like the one of the same name in load-tasks.ts. */
function duplicateFinder(isMade: boolean) {
  return (seen: Seen, uuid: DataView, rows: PlainRows, row: number, source: string): boolean => {
    const isNew = seen.addUuid(uuid);
    if (!isMade) return !isNew;
    if (isNew) seen.keepFirst(source, rows.lineOf(row), rows.checksum(row));
    else seen.compare(source, rows.lineOf(row), rows.checksum(row));
    return !isNew;
  };
}

type UuidOf = (rows: PlainRows, row: number) => DataView;

/** Returns the function that makes the uuid of a row as `identify` does. */
function uuidMaker({ uuidFields, uuidSep = '\u001f' }: LoadOptions, version: 3 | 5): UuidOf {
  if (uuidFields === undefined) return (rows, row) => rows.madeUuid(row) ?? uuidOfAll(rows, row, version);
  const separator = Buffer.from(uuidSep);
  let last: Columns | undefined;
  let indexes: readonly number[] = [];
  return (rows, row) => {
    if (rows.columns !== last) {
      last = rows.columns;
      indexes = uuidFields.map((field) => rows.columns.indexes.get(field) as number);
    }
    const [only] = indexes as [number];
    const made = version === 3 ? rows.madeUuid(row) : undefined;
    if (made !== undefined) return made;
    if (indexes.length === 1)
      return nameUuidBytes(rows.bytes, rows.startOf(row, only), rows.endOf(row, only), version);
    return uuidOfSome(rows, row, indexes, separator, version);
  };
}

/** Returns the uuid of all values with their names. */
function uuidOfAll(rows: PlainRows, row: number, version: 3 | 5): DataView {
  const name = nameBuffer(rows.canonicalRoom(row));
  return bufferedUuid(rows.writeCanonical(row, name, NAME_AT), version);
}

/** Returns the uuid of the values of some columns. */
function uuidOfSome(
  rows: PlainRows,
  row: number,
  indexes: readonly number[],
  separator: Buffer,
  version: 3 | 5,
): DataView {
  let room = 0;
  for (const index of indexes) room += separator.length + rows.endOf(row, index) - rows.startOf(row, index);
  const name = nameBuffer(room);
  let end = NAME_AT;
  for (let i = 0; i < indexes.length; i++) {
    if (i > 0) for (let j = 0; j < separator.length; j++) name[end++] = separator[j] as number;
    end = rows.writeText(row, indexes[i] as number, name, end);
  }
  return bufferedUuid(end, version);
}
