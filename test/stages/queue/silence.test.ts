import { afterEach, expect, test, vi } from 'vitest';
import { Silence } from '../../../src/stages/queue/silence.ts';

afterEach(() => void vi.useRealTimers());

test('silence grows with the time, and ends at a sign of life', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const silence = new Silence();
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(250);
    silence.look();
  }
  expect(silence.look()).toBe(1000);
  silence.end();
  expect(silence.look()).toBe(0);
});

test('a pause of the process itself, as by SIGSTOP, counts for at most half a second', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const silence = new Silence();
  vi.advanceTimersByTime(3_600_000);
  expect(silence.look()).toBe(500);
});
