/* Lines made without tasks equal those of the tasks, for any file and any chunks. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LoadOptions } from '../../../src/stages/load/load.ts';
import { expectSame, outcome } from '../../support/load-outcome.ts';
import { freshFolder } from '../../support/run.ts';

const cell = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('', 'x', 'http://h/1', 'null', 'Ümläut', '名前', '長', '😀', '\u2028'),
  },
  { weight: 3, arbitrary: fc.constantFrom('"a"', '"a,b"', '""', '"é"', 'x'.repeat(40), '"y;\tz"') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"a""b"',
      '"""q"""',
      '"a"","""""',
      '"a\nb"',
      '"a\r\nb"',
      'a"b',
      '"a"b',
      '\\',
      '"\\"',
      'a\tb',
      '"a\t""b"" \\""',
      '"""\u0001\n\n"',
      '"1\n2,3,4\n5"',
      'a\\""b',
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('\t', '\r', '\u0000', '\u007f', '\ufeff', '\ufffd', '"open') },
);
const row = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(cell, cell, cell).map((cells) => cells.join(',')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'one', '1,2,3,4', ' ', ',,', '"",,', 'a;b;c', 'a\tb\tc', 'a,url,c'),
  },
  { weight: 1, arbitrary: fc.constantFrom('"a\tb",url,"c\n""\\"', '1,2,"3\n4,5,6\n7,8,9"', '1,2,"\n\n\n"') },
);
const piece = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.tuple(row, fc.constantFrom('\n', '\n', '\r\n')).map((two) => Buffer.from(two.join(''))),
  },
  { weight: 1, arbitrary: fc.constantFrom([0xff, 0xfe], [0xe2, 0x82], [10], [34, 10]).map(Buffer.from) },
);
const header = fc.constantFrom(
  'a,url,c\n',
  '\ufeffa,url,c\r\n',
  '"a","url","c"\n',
  'uuid,url,c\n',
  '"a\tb",url,"c\n""\\"\n',
  '\n\na,url,c\n',
);
const values: { readonly [Name in keyof LoadOptions]?: fc.Arbitrary<LoadOptions[Name]> } = {
  uuid: fc.constantFrom(3, 5),
  uuidSep: fc.constantFrom('', '-', 'é–'),
  duplicates: fc.constantFrom('skip', 'keep', 'fail'),
  delimiter: fc.constantFrom(',', ';', '\t', 'é', '\\'),
  quote: fc.constantFrom('none', "'", 'x'),
  escape: fc.constantFrom('none', '\\', 'x', '\u00e9'),
  skip: fc.nat(2),
  comment: fc.constantFrom('x', 'h', '\u540d'),
  encoding: fc.constantFrom('utf-8', 'latin1', 'utf-16le'),
  header: fc.boolean(),
  columns: fc.constantFrom(['a', 'url', 'c'], ['ä', 'url', '"']),
  select: fc.constantFrom(['c', 'url'], ['url', 'url'], []),
  rename: fc.constantFrom(new Map([['url', 'link']]), new Map([['c', 'uuid']])),
  require: fc.constantFrom(['c'], []),
  limit: fc.nat(5),
  offset: fc.nat(3),
  sample: fc.nat(5),
  shard: fc.constantFrom({ index: 1, of: 2 }),
  maxLine: fc.constantFrom(12, 40),
};
/** Sets of few options: with many, most loads would only end with an error. */
const options = fc
  .tuple(fc.record(values), fc.subarray(Object.keys(values), { maxLength: 2 }))
  .map(([all, kept]) => Object.fromEntries(Object.entries(all).filter(([name]) => kept.includes(name))))
  .chain((few) =>
    fc.constantFrom<LoadOptions[]>(
      few,
      { ...few, uuidFields: ['url'] },
      { ...few, uuidFields: ['c', 'url', 'c'] },
    ),
  );

test('any text has the same lines, rejects and counts with and without tasks, however it is cut', async () => {
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(
      header,
      fc.array(piece, { maxLength: 30 }),
      options,
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 }),
      async (first, pieces, given, lengths) => {
        const text = Buffer.concat([Buffer.from(first), ...pieces]);
        if ((await expectSame(text, given, lengths)).hasPlain) plain++;
        await expectSame(text, given);
      },
    ),
    { numRuns: 1000 },
  );
  expect(plain).toBeGreaterThan(200); // otherwise plain rows would not be tested
});

/** Makes a large file of plain rows, some of them repeated, with one odd row in `each`. U+0001 becomes an invalid byte. */
function large(rows: number, each: number, odd: (i: number) => string): Buffer {
  let text = 'id,url,name\n';
  for (let i = 0; i < rows; i++)
    text += i % each === each - 1 ? odd(i) : `${i},http://h/${i % (rows - 500)},名前 ${i}\n`;
  const bytes = Buffer.from(text);
  for (let at = bytes.indexOf(1); at >= 0; at = bytes.indexOf(1, at)) bytes[at] = 0xff;
  return bytes;
}

test.each([
  ['doubled quotes', 1000, (i: number) => `${i},http://h/${i},"a ""b"""\n`],
  ['doubled quotes in each tenth row', 10, (i: number) => `${i},http://h/${i},"a ""b"""\n`],
  ['a cell of many lines', 2000, (i: number) => `${i},http://h/${i},"${'line\n'.repeat(3000)}"\n`],
  ['a row of 100 KB', 3000, (i: number) => `${i},http://h/${i},${'x'.repeat(100_000)}\n`],
  ['a cell too few', 500, (i: number) => `${i},http://h/${i}\n`],
  ['a row over --max-line', 900, (i: number) => `${i},http://h/${i},${'x'.repeat(200_001)}\n`],
  ['bytes that are not text', 3000, (i: number) => `${i},http://h/${i},\u0001\n`],
])('a large file with %s gives the lines of its tasks', async (_, each, odd) => {
  const bytes = large(10_000, each, odd);
  const given = { uuidFields: ['url'], maxLine: 200_000 };
  const { hasPlain, counts } = await expectSame(bytes, given, [65_536]);
  expect(hasPlain).toBe(true);
  expect(counts.duplicates).toBeGreaterThan(400);
  await expectSame(bytes, given, [100_000, 7, 30_000]);
});

test('UTF-16 is never mistaken for plain bytes', async () => {
  for (const text of ['a\n慡慡\n慢慢\n', 'a,b\n慡,慢\nਊ,慣\n']) {
    const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
    for (const given of [bytes, Buffer.from(bytes).swap16()])
      for (const length of [1, 7, 1000]) expect((await expectSame(given, {}, [length])).hasPlain).toBe(false);
  }
});

test('a delimiter outside of ASCII does not match bytes of another character', async () => {
  const { lines } = await expectSame(Buffer.from('aéb\n長é1\n名é2\n'), { delimiter: 'é' });
  expect(lines.match(/"a":"."/g)).toEqual(['"a":"長"', '"a":"名"']);
});

test('duplicates are found across chunks, in plain rows and others', async () => {
  const text = 'url,n\nx,1\ny,2\n"x","3 ""quoted"""\nz,4\n"y",5\n"w","\\"\nw,6\n';
  for (const length of [3, 12, 1000]) {
    const { lines, counts } = await expectSame(Buffer.from(text), { uuidFields: ['url'] }, [length]);
    expect(lines.match(/"n":"[^,}]*"/g)).toEqual(['"n":"1"', '"n":"2"', '"n":"4"', '"n":"\\\\"']);
    expect(counts).toMatchObject({ read: 7, loaded: 4, duplicates: 3 });
  }
});

test('uuids in the ledger are skipped in plain rows too', async () => {
  const ledger = join(freshFolder(), 'done.jsonl');
  const rows = Buffer.from('url\na\nb\n"c ""d"""\ne\na\n');
  const { lines } = await outcome('lines', rows, {});
  const uuids = [...lines.matchAll(/"uuid":"([^"]*)"/g)].map(([, uuid]) => uuid as string);
  writeFileSync(ledger, [0, 2].map((i) => `{"uuid":"${uuids[i]}","at":""}\n`).join(''));
  const left = await expectSame(rows, { ledger });
  expect(left.lines.match(/"url":"."/g)).toEqual(['"url":"b"', '"url":"e"']);
  expect(left.counts).toMatchObject({ read: 5, loaded: 2, finished: 3, duplicates: 0 });
});

test('duplicates that differ are reported with both places, in plain rows and others', async () => {
  const text = 'url,n\nx,1\ny,"a ""b"""\n"x",1\nx,\\\ny,"a ""b"""\nx,2\nz,"é"\nz,é\n';
  for (const length of [5, 1000]) {
    const { notes } = await expectSame(Buffer.from(text), { uuidFields: ['url'] }, [length]);
    expect(notes).toEqual([expect.stringContaining('2 of 5 duplicates left out differ')]);
    expect(notes[0]).toContain('first stdin:5 (loaded: stdin:2)');
  }
});
