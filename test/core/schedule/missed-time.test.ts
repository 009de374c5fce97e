import { expect, test } from 'vitest';
import { missedTime } from '../../../src/core/schedule/missed-time.ts';

test('a deadline whose timer is late is extended by that time, but not by more than its length', () => {
  expect(missedTime(1000, 500, 1050)).toBe(0);
  expect(missedTime(1000, 500, 1300)).toBe(300);
  expect(missedTime(1000, 500, 9000)).toBe(500);
});
