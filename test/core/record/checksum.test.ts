import { expect, test } from 'vitest';
import { canonicalJson } from '../../../src/core/record/canonical-json.ts';
import { hashValue } from '../../../src/core/record/checksum.ts';
import { randomFrom } from '../../faults/support/live.ts';

const hash = (text: string): number => hashValue(text, 0, text.length, text.includes('\\'));

/** Returns a maker of JSON texts of small nested values; an object has each name once. */
function valuesFrom(random: () => number): (depth?: number) => string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const space = (): string => pick(['', '', ' ', '\t', '\n  ']);
  const leaves = [
    '0',
    '1',
    '1.0',
    '"1"',
    'true',
    'null',
    '""',
    '"a"',
    '"ä"',
    '"\\u0061"',
    '"{"',
    '"],["',
    '"\\\\"',
  ];
  const value = (depth = 0): string => {
    if (depth > 3 || random() < 0.3) return pick(leaves);
    if (random() < 0.5)
      return `[${space()}${Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1)).join(`${space()},${space()}`)}]`;
    const names = ['"a"', '"b"', '"ä"', '"1"', '""', '"\\n"'].filter(() => random() < 0.4);
    if (random() < 0.5) names.reverse();
    return `{${names.map((name) => `${name}${space()}:${space()}${value(depth + 1)}`).join(`${space()},`)}${space()}}`;
  };
  return value;
}

test('the hash of nested values is equal if and only if their canonical texts are', () => {
  const value = valuesFrom(randomFrom(19));
  const texts = new Map<number, string>();
  const hashes = new Map<string, number>();
  for (let i = 0; i < 40_000; i++) {
    const text = value();
    const canonical = canonicalJson(text);
    const found = hash(text);
    expect(hashes.get(canonical) ?? found, text).toBe(found);
    expect(texts.get(found) ?? canonical, text).toBe(canonical);
    hashes.set(canonical, found);
    texts.set(found, canonical);
  }
  expect(texts.size).toBeGreaterThan(10_000);
});

test.each([
  ['{"a":1,"b":2}', '{"a":2,"b":1}'],
  ['[1,2]', '[2,1]'],
  ['[[1],2]', '[1,[2]]'],
  ['[[],[]]', '[[[]]]'],
  ['{"a":{"b":1}}', '{"b":{"a":1}}'],
  ['[{"a":1},{"b":2}]', '[{"a":1,"b":2}]'],
  ['[{"a":1},{"a":1}]', '[{"a":2},{"a":2}]'],
  ['{"a":[1],"b":[2]}', '{"a":[2],"b":[1]}'],
  ['{}', '[]'],
  ['[1]', '[1.0]'],
  ['[1]', '["1"]'],
])('%s and %s have different hashes', (one, other) => {
  expect(hash(one)).not.toBe(hash(other));
});
