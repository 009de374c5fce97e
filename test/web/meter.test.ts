import { expect, test } from 'vitest';
import { meterOf } from '../../src/web/service/meter.ts';

test('the rate counts every task that finishes after the page was opened, also the first ones', () => {
  const meter = meterOf();
  meter.add({ counts: { PENDING: 3 }, changes: [] });
  meter.add({ counts: { PENDING: 1, SUCCESS: 2 }, changes: [] });
  expect(meter.take().finished).toBe(2);
  meter.add({ counts: { SUCCESS: 3 }, changes: [] });
  expect(meter.take().finished).toBe(1);
  expect(meter.take().finished).toBe(0);
});

test('the rate leaves out tasks that finished before the page was opened', () => {
  const meter = meterOf();
  expect(meter.take().finished).toBe(0);
  meter.add({ counts: { SUCCESS: 7 }, changes: [] });
  expect(meter.take().finished).toBe(0);
  meter.add({ counts: { SUCCESS: 7, FAILURE: 1 }, changes: [] });
  expect(meter.take().finished).toBe(1);
});
