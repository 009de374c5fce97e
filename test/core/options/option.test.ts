import { expect, test } from 'vitest';
import * as o from '../../../src/core/options/declare.ts';
import { type Option, parseOption } from '../../../src/core/options/option.ts';
import { backoffDelay, toBackoff } from '../../../src/core/schedule/backoff.ts';
import { toRate } from '../../../src/core/schedule/rate.ts';

const parse = (option: Option<unknown>, typed: string): unknown => parseOption(option, typed, '--x');

test.each([
  [o.count('', {}), '12', 12],
  [o.count('', { min: 0 }), '0', 0],
  [o.size('', { default: 1, defaultText: '' }), '16MB', 16 * 1024 * 1024],
  [o.size('', { default: 1, defaultText: '' }), '1.5kb', 1536],
  [o.duration('', { default: 1, defaultText: '' }), '1.5s', 1500],
  [o.duration('', { default: 1, defaultText: '' }), '2h', 7_200_000],
  [o.duration('', { default: 1, defaultText: '' }), '0', 0],
  [o.flag(''), 'yes', true],
  [o.flag(''), '0', false],
  [o.list(''), 'a,b', ['a', 'b']],
  [o.choice('', ['a', 'b']), 'b', 'b'],
  [o.value('', 'R', toRate), '50/s', { count: 50, per: 1000 }],
  [o.value('', 'R', toRate), '1/500ms', { count: 1, per: 500 }],
  [o.value('', 'B', toBackoff), '500ms..30s', { min: 500, max: 30_000 }],
])('%# a valid value is parsed', (option, typed, expected) => {
  expect(parse(option as Option<unknown>, typed)).toEqual(expected);
});

test.each([
  [o.count('', {}), '0'],
  [o.count('', {}), 'abc'],
  [o.count('', {}), '1e3'],
  [o.count('', {}), '1.5'],
  [o.count('', {}), '99999999999999999999'],
  [o.size('', { default: 1, defaultText: '' }), '0'],
  [o.size('', { default: 1, defaultText: '' }), '5 apples'],
  [o.duration('', { default: 1, defaultText: '' }), '5'],
  [o.duration('', { default: 1, defaultText: '' }), '30d'],
  [o.duration('', { default: 1, defaultText: '', min: 1 }), '0s'],
  [o.flag(''), 'maybe'],
  [o.list(''), 'a,b,a'],
  [o.list(''), 'a,,b'],
  [o.choice('', ['a', 'b']), 'c'],
  [o.value('', 'R', toRate), '0/s'],
  [o.value('', 'R', toRate), '50'],
  [o.value('', 'B', toBackoff), '5s..1s'],
])('%# an invalid value is reported with option, rule and value', (option, typed) => {
  expect(() => parse(option as Option<unknown>, typed)).toThrow(/^--x must .*; got ".*"$/);
});

test('a duration that is too short is reported with the minimum', () => {
  const lease = o.duration('', { default: 1000, defaultText: '1s', min: 500 });
  expect(() => parse(lease as Option<unknown>, '100ms')).toThrow(
    '--x must be a duration such as 500ms, 30s, 5m or 2h, of 500ms at least and of 24d at most; got "100ms"',
  );
});

test('backoff delays grow, are random and stay within their bounds', () => {
  const bounds = { min: 100, max: 1000 };
  for (const [attempt, most] of [
    [1, 100],
    [2, 200],
    [4, 800],
    [5, 1000],
    [5000, 1000],
  ] as const) {
    const waits = Array.from({ length: 200 }, () => backoffDelay(attempt, bounds));
    expect(Math.max(...waits)).toBeLessThanOrEqual(most);
    expect(Math.max(...waits)).toBeGreaterThan(most * 0.8);
    expect(Math.min(...waits)).toBeLessThan(most * 0.2);
  }
});
