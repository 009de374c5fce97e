/* Thrown values: a value of any kind becomes a failure with its causes. */
import { expect, test } from 'vitest';
import { thrownOf } from '../../../src/core/base/thrown.ts';

const refuse = (): never => {
  throw new Error('no');
};
const hostile = new Proxy({}, { get: refuse, getPrototypeOf: refuse, ownKeys: refuse });

test.each([
  [undefined, 'undefined'],
  [null, 'null'],
  ['', 'an empty text'],
  ['a text', 'a text'],
  [Symbol('s'), 'Symbol(s)'],
  [{ status: 500 }, '{"status":500}'],
  [{ message: 'sold out' }, 'sold out'],
  [{ message: { detail: 5 } }, '{"detail":5}'],
  [Object.assign(Object.create(null), { message: 'bad' }), 'bad'],
  [Object.create(null), 'a value that cannot be shown'],
  [hostile, 'a value that cannot be shown'],
  [{ toString: refuse }, 'a value that cannot be shown'],
  [new Error(''), 'Error'],
  [new Error('a', { cause: new Error('b', { cause: 'c' }) }), 'a: b: c'],
  [new Error('connect: refused', { cause: new Error('refused') }), 'connect: refused'],
  [new AggregateError([new Error('first'), 'second']), 'first; second'],
  [new AggregateError([new Error('first')], 'all failed'), 'all failed: first'],
])('the message of case %# describes the thrown value', (value, message) => {
  expect(thrownOf(value)).toMatchObject({ code: 'ERROR', message, retry: false });
});

test('a text is the code, and a cycle of causes ends', () => {
  const error = Object.assign(new Error('a'), { code: 'SOLD_OUT', retry: true, cause: undefined as unknown });
  error.cause = error;
  expect(thrownOf(error)).toMatchObject({ code: 'SOLD_OUT', message: 'a', retry: true });
  expect(thrownOf(Object.assign(new Error('a'), { code: 5 })).code).toBe('ERROR');
});

test('the stack includes the stacks of the causes', () => {
  expect(thrownOf(new Error('a', { cause: new RangeError('b') })).stack).toMatch(
    /^Error: a\n[\s\S]*\nCaused by: RangeError: b\n/,
  );
});
