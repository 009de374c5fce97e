import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Histogram } from '../../../src/core/base/histogram.ts';

const times = fc.array(fc.oneof(fc.nat(200), fc.nat(100_000), fc.nat(2 ** 31 - 1)), { minLength: 1 });

describe('a histogram', () => {
  test('returns quantiles within the bin width, and the exact mean and maximum', () => {
    fc.assert(
      fc.property(
        times,
        fc.constantFrom(3, 6),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, bits, part) => {
          const histogram = new Histogram(bits);
          for (const value of values) histogram.record(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(part * values.length)) - 1] as number;
          const answer = histogram.quantile(part);
          expect(Math.abs(answer - exact)).toBeLessThanOrEqual(exact / 2 ** (bits + 1));
          if (exact < 2 ** (bits + 1)) expect(answer).toBe(exact);
          expect(histogram.max).toBe(sorted.at(-1));
          expect(histogram.mean).toBeCloseTo(
            values.reduce((sum, value) => sum + value / values.length, 0),
            3,
          );
        },
      ),
    );
  });

  test('counts each value in exactly one bin, in coarser bins too', () => {
    fc.assert(
      fc.property(times, fc.constantFrom(0, 2, 3, 6), (values, bits) => {
        const histogram = new Histogram(6);
        for (const value of values) histogram.record(value);
        const bins = histogram.bins(bits);
        for (const { from, to, count } of bins)
          expect(count).toBe(values.filter((value) => value >= from && value < to).length);
        expect(bins.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
        for (const [i, { from }] of bins.entries()) expect(from).toBeGreaterThanOrEqual(bins[i - 1]?.to ?? 0);
      }),
    );
  });

  test('records negative values as 0 and caps large ones', () => {
    const histogram = new Histogram(6);
    for (const value of [-5, 0.9, 2 ** 40]) histogram.record(value);
    expect([histogram.quantile(0.5), histogram.max, histogram.count]).toEqual([0, 2 ** 31 - 1, 3]);
    expect(histogram.bins().map(({ count }) => count)).toEqual([2, 1]);
  });

  test('returns 0 if it is empty', () => {
    const histogram = new Histogram(6);
    expect([histogram.quantile(0.5), histogram.mean, histogram.max, histogram.bins()]).toEqual([0, 0, 0, []]);
  });
});
