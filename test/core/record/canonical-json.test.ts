import fc from 'fast-check';
import { expect, test } from 'vitest';
import { byCodePoint, canonicalJson, hasHalf } from '../../../src/core/record/canonical-json.ts';

test.each([
  ['{}', '{}'],
  [' { } ', '{}'],
  ['{"b":1,"a":[ ]}', '{"a":[],"b":1}'],
  [
    '{"n":1.10,"m":1e5,"k":-0,"i":12345678901234567890}',
    '{"i":12345678901234567890,"k":-0,"m":1e5,"n":1.10}',
  ],
  ['{"a":"\\u0041\\/\\u00e9"}', '{"a":"A/é"}'],
  ['{"a":"\\u001F\\t\\u0022\\\\","\\u0062":null}', '{"a":"\\u001f\\t\\"\\\\","b":null}'],
  ['{"x":{"d":true,"c":[{"f":1,"e":false}]}}', '{"x":{"c":[{"e":false,"f":1}],"d":true}}'],
  ['{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
  ['{"a\\\\":"\\\\","a":"\\\\\\""}', '{"a":"\\\\\\"","a\\\\":"\\\\"}'],
  ['{"\\ufffd":1,"😀":2,"\\ud83d\\ude00a":3,"z":4}', '{"z":4,"�":1,"😀":2,"😀a":3}'],
  ['{"__proto__":1,"":2,"10":3,"9":4}', '{"":2,"10":3,"9":4,"__proto__":1}'],
])('%s is written as %s', (text, expected) => {
  expect(canonicalJson(text)).toBe(expected);
});

/** Writes a value with another order of members, with white space, and with escaped letters. */
function rewritten(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value).replace(/[a-zA-Z\u0080-\ud7ff](?=[^"]*")/g, (letter, at, all) =>
      all[at - 1] === '\\' || /\\u[\da-f]{0,3}$/.test(all.slice(0, at))
        ? letter
        : `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  if (Array.isArray(value)) return `[ ${value.map(rewritten).join(' ,\n')}\t]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([name, inner]) => `${rewritten(name)} :\r\n ${rewritten(inner)}`,
  );
  return `{ ${members.reverse().join(' , ')} }`;
}

test('canonical JSON ignores white space, member order and escapes, and nothing else', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (one, other) => {
      const text = JSON.stringify(one);
      const canonical = canonicalJson(text);
      expect(JSON.parse(canonical)).toEqual(JSON.parse(text));
      expect(canonicalJson(rewritten(JSON.parse(text)))).toBe(canonical);
      expect(canonicalJson(canonical)).toBe(canonical);
      const isSame = fc.stringify(JSON.parse(text)) === fc.stringify(JSON.parse(JSON.stringify(other)));
      if (!isSame) expect(canonicalJson(JSON.stringify({ a: other }))).not.toBe(`{"a":${canonical}}`);
    }),
    { numRuns: 1000 },
  );
});

test('names are compared by code point', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const order = Buffer.compare(Buffer.from(a), Buffer.from(b)); // the order of UTF-8 bytes is the same
      expect(Math.sign(byCodePoint(a, b))).toBe(order);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['{"a":"\\ud800"}', true],
  ['{"a":"\\\\\\uDFFF"}', true],
  ['{"\\udc00":1}', true],
  ['{"a":"\\\\ud800"}', false],
  ['{"a":"\\ud83d\\ude00"}', false],
])('%s has a lone surrogate: %s', (text, expected) => {
  expect(hasHalf(canonicalJson(text))).toBe(expected);
});

test('a record of 100,000 members and one of 16 MB are written within seconds', () => {
  const wide = `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`;
  const long = `{"a":"${'\\n'.repeat(8_000_000)}"}`;
  const begin = performance.now();
  expect(canonicalJson(wide)).toHaveLength(wide.length);
  expect(canonicalJson(long)).toHaveLength(long.length);
  expect(performance.now() - begin).toBeLessThan(5000);
});
