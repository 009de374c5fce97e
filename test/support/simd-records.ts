import { expect } from 'vitest';
import { nameUuid, uuidOfCanonical } from '../../src/core/ids/index.ts';
import { parseRecord } from '../../src/core/record/ndjson.ts';
import type { Fields } from '../../src/core/record/task.ts';
import { JsonLoaded } from '../../src/loaders/json/json-records.ts';
import { recordReader, type SimdRecords } from '../../src/loaders/json/simd-records.ts';
import type { LoadOptions } from '../../src/stages/load/load-options.ts';
import { readOptions } from '../../src/stages/load/read-source.ts';

/** Line that makes any text long enough for WebAssembly. */
const LONG = `{"url":"long","text":"${'x'.repeat(20_000)}"}`;

export function optionsOf(options: LoadOptions): Parameters<typeof recordReader>[0] {
  return readOptions('a.ndjson', options, { takes: () => true, toLines: ({ bytes }) => bytes });
}

/** Records that are read from lines, as tasks. */
interface Read {
  readonly count: number;
  readonly lines: readonly string[];
  /** Checksums. */
  readonly sums: readonly number[];
}

export function readBy(reader: SimdRecords, lines: readonly string[]): Read | undefined {
  const rows = reader.read(Buffer.from([LONG, ...lines].join('\n')), 7);
  expect(rows).toBeDefined();
  if (rows === undefined) return undefined;
  const text = rows.roomForLines().toString();
  const sums = lines.slice(0, rows.length - 1).map((_, i) => rows.checksum(i + 1));
  return { count: rows.length - 1, lines: text.split('\n').slice(1, -1), sums };
}

function parsedOf(lines: readonly string[], options: LoadOptions): Read {
  const records = lines.map((line) => {
    const parsed = parseRecord(line) as { text: string; fields: Fields };
    return new JsonLoaded({ ...parsed, line: 1 }, optionsOf(options));
  });
  const uuidOf = (record: JsonLoaded): string | undefined =>
    options.uuidFields === undefined
      ? uuidOfCanonical(record.canonical())
      : nameUuid(record.text('url') as string, 3);
  return {
    count: lines.length,
    lines: records.map((record) => record.toLine(uuidOf(record) as string)),
    sums: records.map((record) => record.checksum()),
  };
}

export const OF_URL: LoadOptions = { uuidFields: ['url'] };

/** Returns a reader. @param options `OF_URL`, or none for uuids of whole records */
export const reader = (options: LoadOptions): SimdRecords => recordReader(optionsOf(options)) as SimdRecords;

/** Expects that a reader reads all lines as the parser does. The uuid of a whole record needs no checksum. */
export function expectParsed(lines: readonly string[], options: LoadOptions): void {
  const read = readBy(reader(options), lines);
  const expected = parsedOf(lines, options);
  expect(options.uuidFields === undefined ? { ...read, sums: expected.sums } : read).toEqual(expected);
}
