import { expect, test } from 'vitest';
import { DeadlineTimer } from '../../../src/core/schedule/deadline-timer.ts';

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('the timer fires once, at the earliest of its deadlines', async () => {
  let rings = 0;
  const alarm = new DeadlineTimer(() => rings++);
  const now = performance.now();
  for (const time of [now + 60_000, now + 10, now + 30_000]) alarm.set(time);
  await wait(60);
  expect(rings).toBe(1);
  alarm.clear();
});

test('a deadline beyond the range of setTimeout does not fire at once', async () => {
  let rings = 0;
  const alarm = new DeadlineTimer(() => rings++);
  alarm.set(performance.now() + 2 ** 31 + 1000);
  await wait(60);
  alarm.clear();
  expect(rings).toBe(0);
});
