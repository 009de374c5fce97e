import { expect, test } from 'vitest';
import { nearest } from '../../../src/core/options/suggest.ts';

const NAMES = ['jobs', 'timeout', 'header', 'per-host', 'flow', 'method', 'retries', 'retry-on', 'url'];

test.each([
  ['jbos', 'jobs'],
  ['JOBS', 'jobs'],
  ['job', 'jobs'],
  ['timout', 'timeout'],
  ['time', 'timeout'],
  ['hedaer', 'header'],
  ['perhost', 'per-host'],
  ['per_host', 'per-host'],
  ['retris', 'retries'],
  ['ulr', 'url'],
])('%s suggests %s', (word, name) => {
  expect(nearest(word, NAMES)).toBe(name);
});

test.each(['', 'x', 'foo', 'data', 'fast', 'retr', 'user', 'host', 'threads', '__proto__'])(
  '%j suggests nothing',
  (word) => {
    expect(nearest(word, NAMES)).toBeUndefined();
  },
);
