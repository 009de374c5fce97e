import { describe, expect, test } from 'vitest';
import { AdaptiveLimit } from '../../../../src/core/schedule/lanes/adaptive-limit.ts';

/**
 * Server in simulated time: `workers` serve requests in turn, and at most `queue` requests wait: others are refused.
 */
interface Model {
  readonly workers: number;
  /** Time of service of the nth request, in milliseconds. */
  readonly service: (n: number) => number;
  readonly queue: number;
}

interface Measured {
  /** Successes a second. */
  readonly rate: number;
  /** Share of requests that failed. */
  readonly failures: number;
}

/** Sends requests for some simulated time, as many at once as `limit` says. */
function simulate(
  { workers, service, queue }: Model,
  limit: AdaptiveLimit | number,
  time = 60_000,
): Measured {
  const busyUntil = Array<number>(workers).fill(0);
  let running: { start: number; end: number; isFailure: boolean }[] = [];
  let [now, count, good] = [0, 0, 0];
  while (now < time) {
    const most = typeof limit === 'number' ? limit : limit.limit;
    while (running.length < most) {
      const worker = busyUntil.indexOf(Math.min(...busyUntil));
      const isFailure = running.length >= workers + queue;
      const start = Math.max(now, busyUntil[worker] as number);
      const end = isFailure ? now + 1 : start + service(count);
      if (!isFailure) busyUntil[worker] = end;
      count++;
      running.push({ start: now, end, isFailure });
    }
    const next = running.reduce((a, b) => (b.end < a.end ? b : a));
    now = next.end;
    if (typeof limit !== 'number') limit.ended(now - next.start, running.length, next.isFailure);
    running = running.filter((one) => one !== next);
    if (!next.isFailure) good++;
  }
  return { rate: (good * 1000) / time, failures: 1 - good / (count - running.length) };
}

/** Returns the best rate at a fixed concurrency with less than 1 % failures. */
function best(model: Model): number {
  const all = Array.from({ length: model.workers + model.queue }, (_, i) => simulate(model, i + 1, 5000));
  return Math.max(...all.filter(({ failures }) => failures < 0.01).map(({ rate }) => rate));
}

const models: readonly (readonly [name: string, model: Model])[] = [
  ['of one worker', { workers: 1, service: () => 50, queue: 10 }],
  ['of 8 workers', { workers: 8, service: () => 20, queue: 20 }],
  ['of 40 workers', { workers: 40, service: () => 100, queue: 40 }],
  ['whose answers take 10 to 90 ms', { workers: 8, service: (n) => 10 + ((n * 37) % 80), queue: 30 }],
];

describe('the limit of a server', () => {
  test.each(models)(
    '%s reaches 80 % of the best fixed concurrency, with less than 1 % failures',
    (_, model) => {
      const { rate, failures } = simulate(model, new AdaptiveLimit(100));
      expect(rate).toBeGreaterThan(best(model) * 0.8);
      expect(failures).toBeLessThan(0.01);
    },
  );

  test('that becomes slower and quicker again follows it', () => {
    let isSlow = false;
    const model: Model = { workers: 8, service: () => (isSlow ? 200 : 20), queue: 30 };
    const limit = new AdaptiveLimit(100);
    simulate(model, limit, 10_000);
    isSlow = true;
    expect(simulate(model, limit, 120_000).rate).toBeGreaterThan(40 * 0.8);
    isSlow = false;
    expect(simulate(model, limit, 60_000).rate).toBeGreaterThan(400 * 0.8);
  });

  test('grows to its maximum if load has no effect, and only if it is used', () => {
    const limit = new AdaptiveLimit(30);
    for (let i = 0; i < 1000; i++) limit.ended(10, 1, false);
    expect(limit.limit).toBe(2);
    for (let i = 0; i < 1000; i++) limit.ended(10, limit.limit, false);
    expect(limit.limit).toBe(30);
  });

  test('shrinks to one if everything fails', () => {
    const limit = new AdaptiveLimit(30);
    for (let i = 0; i < 1000; i++) limit.ended(10, limit.limit, i > 500);
    expect(limit.limit).toBe(1);
  });
});
