import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CSV, CsvParser, type Dialect, type Row, rowEncoder, TSV } from '../../../src/core/text/csv.ts';

function parse(text: string, lengths: readonly number[] = [], options = {}): Row[] {
  const parser = new CsvParser(options);
  const rows: Row[] = [];
  let at = 0;
  for (let i = 0; at < text.length; i++) {
    const length = lengths[i % lengths.length] ?? text.length;
    rows.push(...parser.push(text.slice(at, at + length)));
    at += length;
  }
  rows.push(...parser.end());
  return rows;
}

const spectrum = dirname(createRequire(import.meta.url).resolve('csv-spectrum/package.json'));

describe('the csv-spectrum corpus', () => {
  const names = readdirSync(join(spectrum, 'csvs')).map((name) => name.replace(/\.csv$/, ''));
  test.each(names)('parses to the expected records: %s', (name) => {
    const [header, ...rows] = parse(readFileSync(join(spectrum, 'csvs', `${name}.csv`), 'utf8'), [7]);
    const records = rows.map(({ cells }) =>
      Object.fromEntries(cells.map((cell, i) => [header?.cells[i], cell])),
    );
    const expected = [JSON.parse(readFileSync(join(spectrum, 'json', `${name}.json`), 'utf8'))].flat();
    // The corpus has an error here: its JSON has another number than its CSV.
    if (name === 'location_coordinates') expected[0]['Contact Phone Number'] = '2095257564';
    expect(records).toEqual(expected);
  });
});

const cell = fc.string({
  unit: fc.constantFrom('a', 'n', 'N', '\\', 'é', '"', ',', '\n', '\r', ' ', ';', '\t', '|', ''),
});
const table = fc
  .integer({ min: 1, max: 5 })
  .chain((columns) =>
    fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { maxLength: 10 }),
  );
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

test('rows are read back as written, in any dialect and wherever chunks are cut', () => {
  fc.assert(
    fc.property(
      table,
      cuts,
      fc.constantFrom<Dialect>(CSV, { ...CSV, delimiter: ';' }, { ...CSV, delimiter: '|' }, TSV),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      (rows, lengths, dialect, eol, last) => {
        const encode = rowEncoder(dialect);
        const text = rows.map((cells) => encode(cells)).join(eol) + (last && rows.length > 0 ? eol : '');
        const read = parse(text, lengths, dialect);
        expect(read.map(({ fault }) => fault)).toEqual(rows.map(() => undefined));
        expect(read.map(({ cells }) => cells)).toEqual(rows);
        expect(read.map((row) => row.text).join('')).toBe(text);
      },
    ),
    { numRuns: 1000 },
  );
});

test('each row has the number of its first line', () => {
  const rows = parse('a,b\n"1\n2",x\n\n3,"y\r\nz"\r\n4,w', [2]);
  expect(rows.map(({ line, cells }) => [line, cells.length])).toEqual([
    [1, 2],
    [2, 2],
    [4, 0],
    [5, 2],
    [7, 2],
  ]);
});

test('text after a closing quote is an error of its row alone', () => {
  const rows = parse('a,b\n"x"y,1\nc,d\n"e" ,2\nf,g', [1]);
  expect(rows.map(({ fault, text }) => [fault, text])).toEqual([
    [undefined, 'a,b\n'],
    ['quote', '"x"y,1\n'],
    [undefined, 'c,d\n'],
    ['quote', '"e" ,2\n'],
    [undefined, 'f,g'],
  ]);
});

test('a quote inside an unquoted cell is kept', () => {
  expect(parse('5" pipe,a"b"\n')[0]?.cells).toEqual(['5" pipe', 'a"b"']);
});

test('an unclosed quote is an error of its row, with the text', () => {
  const rows = parse('a\n"b\nc\n', [3]);
  expect(rows.map(({ fault, text, line }) => [fault, text, line])).toEqual([
    [undefined, 'a\n', 1],
    ['open', '"b\nc\n', 2],
  ]);
});

test('a row over the limit is skipped to its end, including quoted newlines', () => {
  const text = `a,b\n"${'x\n""'.repeat(100)}",1\nc,d\n${'y'.repeat(500)}\ne,f\n`;
  const rows = parse(text, [16], { maxRow: 64 });
  expect(rows.map(({ fault, cells, line }) => [fault, cells[0], line])).toEqual([
    [undefined, 'a', 1],
    ['long', undefined, 2],
    [undefined, 'c', 103],
    ['long', undefined, 104],
    [undefined, 'e', 105],
  ]);
});

/** Dialects that can be read, including some that are never written. */
const dialects = fc.constantFrom<Dialect>(
  CSV,
  TSV,
  { ...CSV, quote: '' },
  { ...CSV, quote: "'" },
  { ...CSV, escape: '\\' },
  { ...CSV, quote: '', escape: '\\' },
  { ...CSV, escape: 'n' },
);

test('the rows and the limit of a row do not depend on the chunks, in any dialect', () => {
  fc.assert(
    fc.property(table, cuts, fc.constantFrom('\n', '\r\n'), dialects, (rows, lengths, eol, dialect) => {
      // Cells are not encoded: quotes open and close anywhere.
      const text = rows.map((cells) => cells.join(',')).join(eol);
      const seen = (row: Row): unknown => [row.trouble, row.line, row.lines, row.fault ?? row.cells];
      for (const maxRow of [6, 1000]) {
        const options = { ...dialect, maxRow, comment: 'a' };
        expect(parse(text, lengths, options).map(seen)).toEqual(parse(text, [], options).map(seen));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a quote inside an unquoted cell of a row over the limit does not open a quoted cell', () => {
  const rows = parse(`5" pipe ${'x'.repeat(100)},1\na,2\nb,3\n`, [16], { maxRow: 64 });
  expect(rows.map(({ fault, cells, line }) => [fault, cells[0], line])).toEqual([
    ['long', undefined, 1],
    [undefined, 'a', 2],
    [undefined, 'b', 3],
  ]);
});

test('a single empty cell is a row, not a blank line', () => {
  expect(rowEncoder()([''])).toBe('""');
  expect(parse('""\n')[0]?.cells).toEqual(['']);
});

test('a backslash escapes quotes, delimiters, newlines and itself', () => {
  const text = '"a \\"b\\" c",x\\,y\n"l\\nm","n\\\no"\np\\\nq,\\\\\n\\N,"\\N"\n"""",\\t\n';
  expect(parse(text, [3], { escape: '\\' }).map(({ cells }) => cells)).toEqual([
    ['a "b" c', 'x,y'],
    ['l\nm', 'n\no'],
    ['p\nq', '\\'],
    ['', 'N'],
    ['"', '\t'],
  ]);
});

test('TSV has one row per line and escapes only tabs, line ends and backslashes', () => {
  const text = 'a\t"b\n\\t\\n\\r\\\\\tc:\\dir\\\nx"\t\\N\n';
  expect(parse(text, [2], TSV).map(({ cells }) => cells)).toEqual([
    ['a', '"b'],
    ['\t\n\r\\', 'c:\\dir\\'],
    ['x"', ''],
  ]);
});

test('comment lines between rows are skipped and counted, and kept in a quoted cell', () => {
  const rows = parse('#"\na,b\n#c\n"1\n#2",3\n#', [1], { comment: '#' });
  expect(rows.map(({ line, cells }) => [line, ...cells])).toEqual([
    [2, 'a', 'b'],
    [4, '1\n#2', '3'],
  ]);
});

test('a row error has its number of lines and the line of its opening quote', () => {
  const open = parse('a,b\n1,"x\n"\n"2\n",3,"y\nz\n', [2]).at(-1);
  expect([open?.line, open?.lines, open?.trouble]).toEqual([4, 3, { fault: 'open', quoteLine: 5 }]);
  const long = parse(`a\n"${'x\n'.repeat(50)}"\nb\n`, [7], { maxRow: 20 })[1];
  expect([long?.line, long?.lines, long?.trouble?.quoteLine]).toEqual([2, 51, 2]);
  const text = parse('a\n"x\ny" z\n', [2])[1];
  expect([text?.lines, text?.trouble]).toEqual([2, { fault: 'quote', quoteLine: 2 }]);
});
