import { nameUuidBytes } from '../core/uuid.ts';
import type { Columns, PlainRows } from '../loaders/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { LeftOut, LoadCounts } from './load-tasks.ts';

/** Makes lines of plain rows, those of their tasks, each with its newline. */
export interface PlainMaker {
  /** Whether these columns need nothing that only a record can do. */
  takes(columns: Columns): boolean;
  toLines(rows: PlainRows): Buffer;
}

/** What makes lines of plain rows as `taskMaker` makes tasks of records; undefined where the options need tasks. */
export function plainMaker(
  options: LoadOptions,
  counts: LoadCounts,
  { finished, seen }: LeftOut,
): PlainMaker | undefined {
  const { uuidFields, uuid: version = 3 } = options;
  if (version === 4 || version === 7 || needsTasks(options)) return undefined;
  const uuidOf = uuidMaker(options, version);
  return {
    takes: (columns) => uuidFields !== undefined || columns.uuid === undefined,
    toLines(rows) {
      const lines = rows.roomForLines();
      let end = 0;
      counts.read += rows.length;
      for (let row = 0; row < rows.length; row++) {
        const uuid = uuidOf(rows, row);
        if (finished?.hasUuid(uuid)) counts.finished++;
        else if (seen !== undefined && !seen.addUuid(uuid)) counts.duplicates++;
        else {
          end = rows.writeLine(row, uuid, lines, end);
          counts.loaded++;
        }
      }
      return lines.subarray(0, end);
    },
  };
}

/** Whether each record has to be looked at, or counted: what the fast way would not save much of, or is rarely asked. */
function needsTasks(options: LoadOptions): boolean {
  const { encoding, require, offset, limit, sample, shard, duplicates, select = [] } = options;
  if (encoding !== undefined || require !== undefined || offset || duplicates === 'fail') return true;
  if (new Set(select).size < select.length) return true; // of one value there would be several, and no room for them
  return limit !== undefined || sample !== undefined || shard !== undefined;
}

type UuidOf = (rows: PlainRows, row: number) => DataView;

/** What makes the uuid of a row as `identify` does: of the values of some of its columns, or of all. */
function uuidMaker({ uuidFields, uuidSep = '\u001f' }: LoadOptions, version: 3 | 5): UuidOf {
  const separator = Buffer.from(uuidSep);
  let name = Buffer.alloc(1024);
  let last: Columns | undefined;
  let indexes: readonly number[] = [];
  return (rows, row) => {
    if (rows.columns !== last) {
      last = rows.columns;
      indexes = (uuidFields ?? last.names).map((field) => rows.columns.indexes.get(field) as number);
    }
    const [only] = indexes as [number];
    if (indexes.length === 1)
      return nameUuidBytes(rows.bytes, rows.startOf(row, only), rows.endOf(row, only), version);
    let room = 0;
    for (const index of indexes) room += separator.length + rows.endOf(row, index) - rows.startOf(row, index);
    if (room > name.length) name = Buffer.alloc(2 * room);
    let length = 0;
    for (let i = 0; i < indexes.length; i++) {
      if (i > 0) for (let j = 0; j < separator.length; j++) name[length++] = separator[j] as number;
      length = rows.writeValue(row, indexes[i] as number, name, length);
    }
    return nameUuidBytes(name, 0, length, version);
  };
}
