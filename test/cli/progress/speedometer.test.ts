import { expect, test } from 'vitest';
import { type Speed, Speedometer } from '../../../src/cli/progress/speedometer.ts';

const SECOND = 1000;

/** Samples a count that follows `countAt` five times a second. Returns the last speed. */
function lookUntil(end: number, countAt: (seconds: number) => number): Speed {
  const speedometer = new Speedometer(0);
  for (let time = 200; time < end * SECOND; time += 200) speedometer.look(time, countAt(time / SECOND));
  return speedometer.look(end * SECOND, countAt(end));
}

test('the rate covers the last ten seconds, not the whole run', () => {
  const slowerAfterAMinute = (seconds: number): number =>
    seconds < 60 ? seconds * 1000 : 60_000 + (seconds - 60) * 20;
  expect(lookUntil(5, slowerAfterAMinute).rate).toBeCloseTo(1000, 0);
  expect(lookUntil(59, slowerAfterAMinute).rate).toBeCloseTo(1000, 0);
  expect(lookUntil(71, slowerAfterAMinute).rate).toBeCloseTo(20, 0);
});

test('a stall has rate 0 and the time since the last task', () => {
  const untilHalfAMinute = (seconds: number): number => Math.min(seconds, 30) * 100;
  expect(lookUntil(75, untilHalfAMinute)).toEqual({ rate: 0, stall: 45 * SECOND });
  expect(lookUntil(35, untilHalfAMinute)).toEqual({ rate: 50, stall: undefined });
});

test('a stage that has received nothing reports a stall', () => {
  expect(lookUntil(9, () => 0)).toEqual({ rate: 0, stall: undefined });
  expect(lookUntil(20, () => 0)).toEqual({ rate: 0, stall: 20 * SECOND });
});

test('tasks of half a minute each are not a stall, and the rate covers several of them', () => {
  const twoAMinute = (seconds: number): number => Math.floor(seconds / 30);
  for (const end of [615, 629]) {
    const { rate, stall } = lookUntil(end, twoAMinute);
    expect(stall).toBeUndefined();
    expect(rate * 60).toBeGreaterThan(1.5);
    expect(rate * 60).toBeLessThan(2.1);
  }
});

test('the rate is correct again ten seconds after a stall', () => {
  const withAGap = (seconds: number): number =>
    seconds < 30 ? seconds * 100 : seconds < 90 ? 3000 : 3000 + (seconds - 90) * 100;
  expect(lookUntil(100, withAGap).rate).toBeCloseTo(100, 0);
});
