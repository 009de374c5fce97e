import { expect, test } from 'vitest';
import { Fifo } from '../../../src/core/schedule/fifo.ts';
import { UnorderedPool } from '../../../src/core/schedule/unordered-pool.ts';

const item = (id: number): { id: number; place: number } => ({ id, place: -1 });

test('a queue returns items in order, those of pushFirst before the others', () => {
  const queue = new Fifo<{ id: number }>();
  const expected: number[] = [];
  let next = 0;
  const given: number[] = [];
  const due: number[] = [];
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < (round % 7) * 90; i++) {
      queue.push(item(next));
      expected.push(next++);
    }
    if (round % 3 === 0) {
      queue.pushFirst(item(next));
      expected.unshift(next++);
    }
    for (let i = 0; i < (round % 5) * 130; i++) {
      const got = queue.shift()?.id;
      const want = expected.shift();
      if (got !== undefined) given.push(got);
      if (want !== undefined) due.push(want);
    }
    expect(queue.length).toBe(expected.length);
  }
  expect(given).toEqual(due);
});

test('a pool holds each item until it is deleted', () => {
  const bag = new UnorderedPool<{ id: number; place: number }>();
  const items = [0, 1, 2, 3, 4].map(item);
  for (const one of items) bag.add(one);
  expect(bag.delete(items[1] as (typeof items)[0])).toBe(true);
  expect(bag.delete(items[1] as (typeof items)[0])).toBe(false);
  expect(bag.delete(items[4] as (typeof items)[0])).toBe(true);
  expect([...bag].map(({ id }) => id).sort()).toEqual([0, 2, 3]);
  bag.clear();
  expect(bag.size).toBe(0);
  expect(items.every((one) => !bag.delete(one))).toBe(true);
});
