/* Inputs that only revert needs. */
import { expect, test } from 'vitest';
import { type Atom, Engine, graph, linear, run, task } from '../../../src/flow/index.ts';

const fail = (): never => {
  throw new Error('no');
};

test('revert gets the inputs of execute and those of revertRequires; execute gets only its own', async () => {
  const seen: unknown[] = [];
  const charge = task('charge', (inputs) => seen.push(inputs), {
    requires: ['card'],
    revertRequires: 'reason',
    revertRebind: { amount: 'paid' },
    revert: (inputs) => seen.push(inputs),
  });
  const pay = task('pay', () => 5, { provides: 'paid' });
  const flow = linear('f').add(pay, charge, task('ship', fail));
  await run(flow, { store: { card: 'c', reason: 'test' } });
  expect(seen).toEqual([{ card: 'c' }, { card: 'c', reason: 'test', amount: 5 }]);
});

test('revertRebind replaces rebind for an argument', async () => {
  const seen: unknown[] = [];
  const a: Atom = {
    name: 'a',
    rebind: { id: 'one' },
    revertRebind: { id: 'two' },
    execute: (inputs) => seen.push(inputs),
    revert: (inputs) => seen.push(inputs),
  };
  await run(linear('f').add(a, task('b', fail)), { store: { one: 1, two: 2 } });
  expect(seen).toEqual([{ id: 1 }, { id: 2 }]);
});

test('a flow that lacks an input of a revert does not start', () => {
  const flow = linear('f').add(task('a', () => 1, { revertRequires: ['reason'], revert: () => {} }));
  expect(() => new Engine(flow)).toThrow(
    'flow "f": "a" requires "reason" for its revert, but the store has no such value, and no atom before it provides one',
  );
  expect(() => new Engine(flow, { store: { reason: 1 } })).not.toThrow();
});

test('invalid names are rejected', () => {
  const flow = linear('f').add(task('a', () => 1, { revertRequires: [1] as never }));
  expect(() => new Engine(flow)).toThrow('revertRequires of "a" in flow "f" must be names; got [1]');
});

test('in a graph, an atom waits for the atom that provides an input of its revert', async () => {
  const order: string[] = [];
  const user = task('user', () => order.push('user'), { revertRequires: 'token', revert: () => {} });
  const login = task('login', () => order.push('login'), { provides: 'token' });
  await run(graph('f').add(user, login));
  expect(order).toEqual(['login', 'user']);
});

test('a revert whose input was left out by a decider fails, and says which input', async () => {
  const flow = graph('f').add(
    task('choose', () => 1),
    task('make', () => 1, { provides: 'made' }),
    task('use', () => 1, { revertRequires: 'made', revert: () => {} }),
    task('end', fail),
  );
  flow.link('choose', 'make', { decider: () => false, depth: 'ATOM' }).link('use', 'end');
  const { state, revertFailures } = await run(flow);
  expect(state).toBe('FAILURE');
  expect(revertFailures.use).toMatchObject({ code: 'INPUT', message: expect.stringContaining('"made"') });
});
