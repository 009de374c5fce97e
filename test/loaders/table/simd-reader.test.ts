/* The reader in WebAssembly finds the same rows as its plain twin, and writes the same lines. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameUuidBytes } from '../../../src/core/ids/index.ts';
import { CSV, CsvParser, type Row } from '../../../src/core/text/csv.ts';
import { columnsFor } from '../../../src/loaders/table/header-columns.ts';
import { plainReader } from '../../../src/loaders/table/plain-reader.ts';
import type { PlainRows } from '../../../src/loaders/table/plain-rows.ts';
import { SimdReader } from '../../../src/loaders/table/simd-reader.ts';
import type { LoadOptions } from '../../../src/stages/load/load-options.ts';
import { readOptions } from '../../../src/stages/load/read-source.ts';

/** Returns both readers of a table with this header. */
function readersOf(header: string, options: LoadOptions, delimiter = ',') {
  const dialect = { ...CSV, delimiter };
  const read = readOptions('a.csv', options, { takes: () => true, toLines: ({ bytes }) => bytes });
  const columns = columnsFor(new CsvParser(dialect).push(header)[0] as Row, dialect, read);
  return [plainReader(columns, dialect, read), new SimdReader(columns, dialect, read)] as const;
}

type Reader = NonNullable<ReturnType<typeof readersOf>[0]>;

/** Returns all results of a reader for the rows at the start of bytes. */
function found(
  reader: Pick<Reader, 'read' | 'isCut'>,
  text: Buffer,
  line: number,
  isCompared: boolean,
): unknown {
  const rows = reader.read(Buffer.from(text), line);
  const { isCut } = reader;
  if (rows === undefined) return { isCut };
  const { length, end, hasQuotes, lineCount, lastLine } = rows;
  const each = Array.from({ length }, (_, row) => ({
    line: rows.lineOf(row),
    ...(isCompared && { checksum: rows.checksum(row), name: textOf(rows, row, 1) }),
    canonical: canonical(rows, row),
  }));
  return { isCut, length, end, hasQuotes, lineCount, lastLine, each, lines: linesOf(rows, isCompared) };
}

/** Returns the text from which a uuid is made. */
function textOf(rows: PlainRows, row: number, column: number): string {
  return rows.bytes.toString('utf8', rows.startOf(row, column), rows.endOf(row, column));
}

function canonical(rows: PlainRows, row: number): string {
  const room = Buffer.alloc(rows.canonicalRoom(row));
  return room.toString('utf8', 0, rows.writeCanonical(row, room, 0));
}

/** Returns the lines of the tasks, each fifth of which is left out. */
function linesOf(rows: PlainRows, isMade: boolean): string {
  const lines = rows.roomForLines();
  let end = 0;
  for (let row = 0; row < rows.length; row++) {
    const name = Buffer.from(isMade ? textOf(rows, row, 1) : `${row}`);
    const uuid = rows.madeUuid(row) ?? nameUuidBytes(name, 0, name.length, 3);
    if (row % 5 !== 2) end = rows.writeLine(row, uuid, lines, end);
  }
  return lines.toString('utf8', 0, end);
}

const piece = fc.constantFrom(
  ...[
    '',
    'x',
    'http://h/1',
    'Größe, GmbH',
    '名前',
    '😀',
    ' ',
    "'",
    '0'.repeat(15),
    'y'.repeat(16),
    'z'.repeat(300),
    'w'.repeat(38),
  ],
  ...[
    '""',
    '""',
    '\t',
    '\\',
    '\n',
    '\r',
    '\r\n',
    '\u0001',
    '\u001f',
    '\u007f',
    ';',
    ',',
    '\f',
    '\b',
    '\ufeff',
  ],
);
const rare = fc.constantFrom('"', '\u0000', 'x"y', '"z');
const inner = fc
  .array(fc.oneof({ weight: 40, arbitrary: piece }, { weight: 1, arbitrary: rare }), { maxLength: 5 })
  .map((pieces) => pieces.join(''));
const cell = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('', 'x', 'a\tb', 'http://h/2', 'Ümläut', 'a"b', '\\', 'a', 'q\r') },
  { weight: 3, arbitrary: inner.map((text) => `"${text}"`) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[",\n\r;\u0000]/g, '')),
  },
);
const row = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(cell, cell, cell).map((cells) => cells.join(',')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      'a,url,c',
      '"a\tb",url,c',
      'ä,url,c',
      '#x,y,z',
      'a,b',
      ',,',
      '1,2,"3\n4,5,6\n7,8,9"',
      '1,"\n\n",2',
    ),
  },
);
const text = fc
  .array(fc.tuple(row, fc.constantFrom('\n', '\n', '\r\n')), { minLength: 1, maxLength: 20 })
  .map((rows) => rows.map((two) => two.join('')).join(''));
const options = fc.constantFrom<LoadOptions>(
  {},
  { uuidFields: ['url'] },
  { uuidFields: ['url'], select: ['c'] },
  { uuidFields: ['url', 'c'], comment: '#' },
  { uuidFields: ['url'], maxLine: 30 },
  { select: [] },
);
const header = fc.constantFrom('a,url,c\n', '"a\tb",url,c\n', '"a""b",url,c\n', 'uuid,url,c\n', 'ä,url,c\n');

test('it agrees with the plain reader on any rows', () => {
  let rows = 0;
  fc.assert(
    fc.property(header, options, text, fc.nat(3), (head, given, body, line) => {
      const [plain, simd] = readersOf(head, given);
      const bytes = Buffer.from(body);
      const isCompared = given.uuidFields !== undefined;
      for (let at = 0; at < bytes.length; at = bytes.indexOf(10, at) + 1) {
        const rest = bytes.subarray(at);
        const expected = found(plain as Reader, rest, line, isCompared);
        expect(found(simd, rest, line, isCompared)).toEqual(expected);
        rows += (expected as { length?: number }).length ?? 0;
      }
    }),
    { numRuns: 400 },
  );
  expect(rows).toBeGreaterThan(1000);
});

test.each([[';'], ['\t'], ['|']])('it agrees on rows with the delimiter %j', (delimiter) => {
  const body = Buffer.from(`1${delimiter}"a,${delimiter}b"${delimiter}"\t;|"\n`.repeat(50));
  const [plain, simd] = readersOf(`a${delimiter}url${delimiter}c\n`, { uuidFields: ['url'] }, delimiter);
  expect(found(simd, body, 1, true)).toEqual(found(plain as Reader, body, 1, true));
});

test('it stops at the limits of its memory, and continues from there', () => {
  const [plain, simd] = readersOf(`a,url,${'c'.repeat(5000)}\n`, {});
  const body = Buffer.from('1,2,3\n'.repeat(40_000));
  const all = plain?.read(Buffer.from(body), 1);
  let length = 0;
  for (let at = 0; at < body.length; ) {
    const rows = simd.read(body.subarray(at), 1 + length) as PlainRows;
    length += rows.length;
    at += rows.end;
  }
  expect(length).toBe(all?.length);
});

test('it takes neither more bytes nor more columns than its memory holds', () => {
  const [, simd] = readersOf('a,url\n', {});
  expect([simd.takes(Buffer.alloc(256 * 1024)), simd.takes(Buffer.alloc(256 * 1024 + 1))]).toEqual([
    true,
    false,
  ]);
  const [, wide] = readersOf(`url,${Array.from({ length: 5000 }, (_, i) => `c${i}`).join(',')}\n`, {});
  expect(wide.takes(Buffer.alloc(10))).toBe(false);
});
