/* The account of a quota, with its own clock. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SlidingWindow } from '../../../src/stages/exec/limits/sliding-window.ts';

const LIMIT = 100;
const PER = 1000;

interface Start {
  readonly at: number;
  readonly cost: number;
}

/** Returns the largest sum of costs in any window, which begins with a start. */
function fullest(starts: readonly Start[]): number {
  const sums = starts.map(({ at }, i) =>
    starts.slice(i).reduce((sum, one) => sum + (one.at < at + PER ? one.cost : 0), 0),
  );
  return Math.max(0, ...sums);
}

const tasks = (most: number) =>
  fc.array(
    fc.record({
      pause: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 600, noNaN: true })),
      cost: fc.oneof(fc.integer({ min: 0, max: most }), fc.double({ min: 0, max: most, noNaN: true })),
    }),
    { minLength: 1, maxLength: 120 },
  );

test('the sum of any sliding window is at most the limit', () => {
  fc.assert(
    fc.property(tasks(LIMIT), (list) => {
      const window = new SlidingWindow({ count: LIMIT, per: PER });
      const starts: Start[] = [];
      let now = 0;
      for (const { pause, cost } of list) {
        now += pause;
        const wait = window.wait(now, cost);
        expect(wait).toBeLessThanOrEqual(PER * (1 + 1 / 128));
        now += wait;
        expect(window.wait(now + 1e-6, cost)).toBe(0);
        now += 1e-6;
        window.charge(now, cost);
        starts.push({ at: now, cost });
      }
      expect(fullest(starts)).toBeLessThanOrEqual(LIMIT * (1 + 1e-6));
    }),
  );
});

test('with costs above the limit, a window has at most one task more than the limit', () => {
  fc.assert(
    fc.property(tasks(3 * LIMIT), (list) => {
      const window = new SlidingWindow({ count: LIMIT, per: PER });
      const starts: Start[] = [];
      let now = 0;
      for (const { pause, cost } of list) {
        now += pause;
        now += window.wait(now, cost) + 1e-6;
        window.charge(now, cost);
        starts.push({ at: now, cost });
      }
      const largest = Math.max(...list.map(({ cost }) => cost));
      expect(fullest(starts)).toBeLessThanOrEqual(Math.max(LIMIT, largest) * (1 + 1e-6));
      const total = starts.reduce((sum, { cost }) => sum + cost, 0);
      const time = now - (starts[0] as Start).at;
      expect(total).toBeLessThanOrEqual(LIMIT * (time / PER) + Math.max(LIMIT, largest) + LIMIT + 1e-3);
    }),
  );
});

test('overruns of corrected estimates are paid back, and excess charges are refunded', () => {
  const task = fc.record({
    estimate: fc.integer({ min: 1, max: 40 }),
    real: fc.integer({ min: 0, max: 400 }),
    takes: fc.integer({ min: 0, max: 700 }),
  });
  fc.assert(
    fc.property(fc.array(task, { minLength: 5, maxLength: 120 }), (list) => {
      const window = new SlidingWindow({ count: LIMIT, per: PER });
      const running: { at: number; part: number; by: number }[] = [];
      let now = 0;
      /** Estimates of running tasks and actual costs of those that ended. */
      let total = 0;
      const settle = (until: number): void => {
        running.sort((a, b) => a.at - b.at);
        while (running[0] !== undefined && running[0].at <= until) {
          const { at, part, by } = running.shift() as (typeof running)[number];
          window.correct(at, part, by);
          total += by;
        }
      };
      for (const { estimate, real, takes } of list) {
        for (let wait = window.wait(now, estimate); wait > 0; wait = window.wait(now, estimate)) {
          const next = Math.min(now + wait + 1e-6, ...running.map(({ at }) => at));
          settle(next);
          now = next;
        }
        running.push({ at: now + takes, part: window.charge(now, estimate), by: real - estimate });
        total += estimate;
        expect(total).toBeLessThanOrEqual(LIMIT * (now / PER) + LIMIT + 1e-3);
      }
    }),
  );
});

test('a charge that is corrected to 0 makes room at once', () => {
  const window = new SlidingWindow({ count: LIMIT, per: PER });
  const part = window.charge(0, LIMIT);
  expect(window.wait(10, 1)).toBeGreaterThan(900);
  window.correct(10, part, -LIMIT);
  expect(window.wait(10, LIMIT)).toBe(0);
  expect(window.isIdle(10)).toBe(true);
});

test('a wait ends when the oldest charges leave the window, not when the mean rate has made up for the amount', () => {
  const window = new SlidingWindow({ count: 3, per: PER });
  window.charge(0, 1);
  window.charge(500, 1);
  expect(window.wait(600, 2)).toBeCloseTo(PER - 600, -1);
  expect(window.wait(600, 3)).toBeCloseTo(PER - 100, -1);
});

test('an absurd cost does not block its lane forever', () => {
  const window = new SlidingWindow({ count: LIMIT, per: PER });
  window.charge(0, 1);
  window.correct(0, 0, 1e300);
  expect(window.wait(0, 1)).toBeLessThanOrEqual(1002 * PER);
});
