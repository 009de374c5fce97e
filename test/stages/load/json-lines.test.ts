/* Lines that WebAssembly makes of NDJSON equal those of the tasks, for any text and any chunks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { uuidOfCanonical } from '../../../src/core/ids/index.ts';
import type { LoadOptions } from '../../../src/stages/load/load.ts';
import { expectSame } from '../../support/load-outcome.ts';
import { piece } from '../../support/odd-ndjson.ts';

/** Records of 20 KB, so that the reader in WebAssembly is used; each of two values of `url` occurs many times. */
const START = Array.from(
  { length: 250 },
  (_, i) => `{"url":"u${i % 2}","n":${i % 2},"text":"${'x'.repeat(60)}"}\n`,
).join('');

const options = fc.constantFrom<LoadOptions>(
  { uuidFields: ['url'] },
  { uuidFields: ['url'] },
  { uuidFields: ['url', 'n'], uuidSep: 'é' },
  { uuidFields: ['text', 'url'], uuid: 5 },
  { uuidFields: ['url'], uuid: 5 },
  { uuidFields: ['url'], duplicates: 'keep' },
  { uuidFields: ['url'], maxLine: 150 },
  { uuidFields: ['url'], rename: new Map([['n', 'm']]) },
  { uuidFields: ['url'], select: ['n'] },
  { uuidFields: ['o.a'] },
  { uuidFields: ['url', 'url'] },
  {},
  {},
  {},
  { duplicates: 'keep' },
  { maxLine: 150 },
  { uuid: 5 },
);

test('any text has the same lines, rejects and counts with and without tasks, however it is cut', async () => {
  const start = Buffer.from(START);
  let fast = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 20 }),
      options,
      fc.boolean(),
      fc.integer({ min: 1, max: 60 }),
      async (pieces, given, isLast, length) => {
        const odd = Buffer.concat(pieces);
        const told = { format: 'ndjson', ...given } as const;
        await expectSame(Buffer.concat(isLast ? [start, odd] : [odd, start]), told);
        if ((await expectSame(Buffer.concat([start, odd]), told, [start.length, length])).hasPlain) fast++;
      },
    ),
    { numRuns: 700 },
  );
  expect(fast).toBeGreaterThan(300); // otherwise the reader would not be tested
});

/** Returns records, some with an earlier url, with one odd line in `each`. */
function large(each: number, odd: (i: number) => string): Buffer {
  let lines = '';
  for (let i = 0; i < 10_000; i++)
    lines +=
      i % each === each - 1 ? odd(i) : `{"id":${i},"url":"http://h/${i % 9500}","tags":["名前",null]}\n`;
  return Buffer.from(lines);
}

test.each([
  ['a name with an escape in each tenth record', 10, (i: number) => `{"url":"http://h/${i}","\\u00e9":1}\n`],
  [
    'escapes of code points in each third record',
    3,
    (i: number) => `{"url": "http:\\/\\/h\\/${i % 9300}", "t": ["\\u540d\\u524d\\ud83d\\ude00", null]}\n`,
  ],
  ['a record of 100 KB', 3000, (i: number) => `{"url":"http://h/${i}","t":"${'x'.repeat(100_000)}"}\n`],
  ['a record of 300 KB', 5000, (i: number) => `{"url":"http://h/${i}","t":"${'x'.repeat(300_000)}"}\n`],
  ['a line over --max-line', 4000, (i: number) => `{"url":"http://h/${i}","t":"${'x'.repeat(400_000)}"}\n`],
  ['a record that is cut', 500, (i: number) => `{"url":"http://h/${i}\n`],
  ['empty lines', 3, () => '\n'],
  ['line ends of two characters', 2, (i: number) => `{"url":"http://h/${i}","a b": {"c": 1}}\r\n`],
  ['records of earlier runs', 100, (i: number) => `{"uuid":"${i}","url":"${i}","run":{"state":"FAILURE"}}\n`],
])('a large file with %s gives the lines of its tasks', async (_, each, odd) => {
  const bytes = large(each, odd);
  const given = { format: 'ndjson', uuidFields: ['url'], maxLine: 350_000 } as const;
  const { hasPlain, counts, notes } = await expectSame(bytes, given, [65_536]);
  expect(hasPlain).toBe(true);
  expect(counts.duplicates).toBeGreaterThan(100);
  expect(notes[0]).toContain('duplicates left out differ');
  await expectSame(bytes, given, [100_000, 7, 300_000]);
  await expectSame(bytes, { ...given, uuidFields: ['id', 'url'], uuid: 5 }, [65_536]);
  expect((await expectSame(bytes, { ...given, uuidFields: undefined }, [65_536])).hasPlain).toBe(true);
});

test.each<LoadOptions>([{ uuid: 5 }, { uuidFields: [] }, { uuidFields: [], uuid: 5 }])(
  'the uuid of the whole record is not made in WebAssembly with %j',
  async (given) => {
    const { hasPlain } = await expectSame(Buffer.from(START), { format: 'ndjson', ...given });
    expect(hasPlain).toBe(false);
  },
);

test('a record that has the uuid of an earlier one is a duplicate of it', async () => {
  const text = '{"b":1,"a":"\\u00e9"}';
  const uuid = uuidOfCanonical('{"a":"é","b":1}');
  const odd = `${text}\n{"uuid":"${uuid}","b":2}\n{ "a":"é","b":1}\n{"b": 1, "a": "é"}\n`;
  const { counts, notes, hasPlain } = await expectSame(Buffer.from(START + odd), { format: 'ndjson' });
  expect(hasPlain).toBe(true);
  expect(counts).toMatchObject({ loaded: 3, duplicates: 251 });
  expect(notes).toEqual([]);
});
