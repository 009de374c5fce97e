/* Values that user code returns: their JSON, or the reason why they have none. */
import { expect, test } from 'vitest';
import { userJson } from '../../../src/core/base/user-json.ts';

class Empty {
  readonly #hidden = 1;
  get hidden(): number {
    return this.#hidden;
  }
}

class Point {
  readonly x = 1;
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
const cycle: Record<string, unknown> = {};
cycle.self = cycle;

test.each([
  [undefined, undefined],
  [null, 'null'],
  ['a', '"a"'],
  [{ a: undefined, b: [undefined] }, '{"b":[null]}'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [{ url: new URL('http://a.b') }, '{"url":"http://a.b/"}'],
  [new Point(), '{"x":1}'],
  [Object.create(null), '{}'],
  [nested(60), `${'['.repeat(60)}1${']'.repeat(60)}`],
])('%# has a JSON form', (value, text) => {
  expect(userJson(value)).toEqual({ text });
});

test.each([
  [Number.NaN, 'NaN'],
  [{ a: [1, { b: Number.POSITIVE_INFINITY }] }, 'Infinity at a[1].b'],
  [7n, 'a BigInt (String(value) keeps its digits)'],
  [Symbol('s'), 'a Symbol'],
  [{ f: () => 1 }, 'a Function at f (call it first)'],
  [new Map([[1, 2]]), 'a Map (Object.fromEntries(map) gives an object)'],
  [[new Set()], 'a Set at [0] ([...set] gives an array)'],
  [{ price: Promise.resolve(3) }, 'a Promise at price (await it first)'],
  [new Response('x'), 'a Response (await its json() or text())'],
  [Object.assign(new TypeError('x'), { code: 1 }), 'an Error (throw it instead)'],
  [new Date(Number.NaN), 'an invalid Date'],
  [new Uint8Array(2), 'a Uint8Array'],
  [new Empty(), 'an Empty without members'],
  [{ toJSON: () => new Map() }, 'a Map (Object.fromEntries(map) gives an object)'],
  [nested(61), 'nested over 60 levels'],
  [cycle, 'a circular structure'],
])('%# is not JSON, and is named', (value, fault) => {
  expect(userJson(value)).toEqual({ fault });
});

test('a value that throws when it is read is not JSON', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(userJson({ proxy }).fault).toContain('it cannot be read');
  const getter = Object.defineProperty({}, 'a', { enumerable: true, get: () => new Map().get.call(null, 1) });
  expect(userJson(getter).fault).toContain('it cannot be read');
});
