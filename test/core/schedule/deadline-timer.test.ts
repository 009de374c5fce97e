import { expect, test } from 'vitest';
import { DeadlineTimer } from '../../../src/core/schedule/deadline-timer.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('rings at the earliest of the times it was set to, and once', async () => {
  let rings = 0;
  const alarm = new DeadlineTimer(() => rings++);
  const now = performance.now();
  for (const time of [now + 60_000, now + 10, now + 30_000]) alarm.set(time);
  await wait(60);
  expect(rings).toBe(1);
  alarm.clear();
});

test('a time further off than any timer can wait does not ring at once', async () => {
  let rings = 0;
  const alarm = new DeadlineTimer(() => rings++);
  alarm.set(performance.now() + 2 ** 31 + 1000);
  await wait(60);
  alarm.clear();
  expect(rings).toBe(0);
});
