import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linesOf, linesOfRows } from '../../src/ledgers/jsonl/jsonl-line.ts';

const AT = '2024-05-06T07:08:09.123Z';
const uuid = fc.oneof(
  fc.uuid(),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
  fc.constantFrom('"', '\\', '\n', '\u007f', '\u2028', '\ud800', '\udc00', 'ä', '🙂'),
);
const row = fc.tuple(uuid, fc.oneof(fc.constant(-1), fc.nat(2 ** 50)));

test('lines of rows equal lines of entries byte for byte, for any uuids', () => {
  const out = fc.constantFrom(undefined, 'out.csv', '../a "b"/ä.csv');
  fc.assert(
    fc.property(fc.array(row, { maxLength: 20 }), out, (rows, place) => {
      const [uuids, ends] = [rows.map(([id]) => id), rows.map(([, end]) => end)];
      const entries = rows.map(([id, end]) => (end < 0 ? { uuid: id } : { uuid: id, end: end + 7 }));
      expect(linesOfRows(uuids, ends, 7, place, AT)).toBe(linesOf(entries, place, AT));
    }),
    { numRuns: 1000 },
  );
});

test('lone surrogates at the edges of two uuids are not joined', () => {
  const lines = linesOfRows(['a\ud83d', '\ude42b'], [1, 2], 0, 'o', AT).split('\n');
  expect(lines.slice(0, 2).map((line) => JSON.parse(line).uuid)).toEqual(['a\ud83d', '\ude42b']);
  expect(lines[0]).toContain('\\ud83d');
});
