import { expect, test } from 'vitest';
import { Pairs } from '../../../src/core/ids/id-pairs.ts';

test('pairs in memory and in the file are found by number, and gaps are zeros', () => {
  const pairs = new Pairs();
  const count = 600_000; // more than fit in memory
  const isLeftOut = (i: number): boolean => i % 7 === 3 || (i > 70_000 && i < 300_000);
  for (let i = 0; i < count; i++) if (!isLeftOut(i)) pairs.set(i, ~i, i * 3);
  for (const from of [0, 1, 65_530, 262_140, 327_670, count - 200])
    for (let i = from; i < from + 100; i++)
      expect(pairs.get(i), `${i}`).toEqual(isLeftOut(i) ? [0, 0] : [~i, i * 3]);
  for (let i = 1; i < count; i += 9973) expect(pairs.get(i)).toEqual(isLeftOut(i) ? [0, 0] : [~i, i * 3]);
  expect(pairs.get(count + 100_000)).toEqual([0, 0]);
});
