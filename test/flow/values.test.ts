/* Values passed from the store and from atom to atom. */
import { expect, test } from 'vitest';
import {
  type Atom,
  type Flow,
  graph,
  type Inputs,
  linear,
  run,
  task,
  unordered,
} from '../../src/flow/index.ts';

/** Returns an atom that returns its inputs. */
const echo = (name: string, more: Omit<Atom, 'name' | 'execute'>): Atom =>
  task(name, (inputs) => inputs, { provides: name, ...more });
const giving = (name: string, value: unknown, provides: Atom['provides']): Atom =>
  task(name, () => value, { provides: provides as string });

/** Returns the inputs of the atom `out` of a flow. */
async function got(flow: Flow, store: Inputs = {}): Promise<unknown> {
  return (await run(flow, { store })).provided.out;
}

test('an atom receives only the inputs that it declares, under its own names for them', async () => {
  const store = { a: 1, b: 2, c: 3, d: 4 };
  const more = { requires: ['a', 'x'], optional: ['c', 'none'], rebind: { x: 'b' }, inject: { d: 5, e: 6 } };
  expect(await got(linear('f').add(echo('out', more)), store)).toEqual({ a: 1, x: 2, c: 3, d: 5, e: 6 });
});

test('an array or object as result provides a value for each of several names', async () => {
  const user = (): Atom => echo('out', { requires: ['x', 'y'] });
  const both = { x: 1, y: 2 };
  expect(await got(linear('f').add(giving('a', [1, 2], ['x', 'y']), user()))).toEqual(both);
  expect(await got(linear('f').add(giving('a', { y: 2, x: 1 }, ['x', 'y']), user()))).toEqual(both);
  expect(await got(linear('f').add(giving('a', { y: 2, x: 1 }, new Set(['x', 'y'])), user()))).toEqual(both);
  expect(await got(linear('f').add(giving('a', { one: 1, two: 2 }, { x: 'one', y: 'two' }), user()))).toEqual(
    both,
  );
  expect(await got(linear('f').add(giving('a', [0, 1, 2], { x: 1, y: 2 }), user()))).toEqual(both);
});

test('an input comes from the nearest earlier atom, and from the store only if there is none', async () => {
  const flow = (): Flow =>
    linear('f').add(
      giving('a', 'far', 'x'),
      linear('g').add(giving('b', 'near', 'x'), linear('h').add(echo('out', { requires: ['x'] }))),
      giving('c', 'late', 'x'),
    );
  expect(await got(flow(), { x: 'store' })).toEqual({ x: 'near' });
  const aside = unordered('f').add(giving('a', 'aside', 'x'), echo('out', { requires: ['x'] }));
  expect(await got(aside, { x: 'store' })).toEqual({ x: 'store' });
});

test('a graph runs the provider of a value before its consumer, even if it was added later', async () => {
  const flow = graph('f').add(
    echo('out', { requires: ['sum'] }),
    task('add', ({ x, y }) => Number(x) + Number(y), { requires: ['x', 'y'], provides: 'sum' }),
    linear('g').add(task('double', ({ x }) => Number(x) * 2, { requires: ['x'], provides: 'y' })),
    giving('a', 7, 'x'),
  );
  expect(await got(flow)).toEqual({ sum: 21 });
});

test('an atom with a missing input fails, and the flow is reverted', async () => {
  const flow = linear('f').add(giving('a', { y: 1 }, new Set(['x'])), echo('out', { requires: ['x'] }));
  expect(await run(flow)).toMatchObject({
    state: 'REVERTED',
    provided: {},
    failures: { out: { code: 'INPUT', message: expect.stringContaining('its input "x" is not available') } },
  });
});

test('the result has all provided values, even under names such as __proto__', async () => {
  const flow = linear('f').add(
    giving('a', 1, 'x'),
    giving('b', 2, 'constructor'),
    giving('c', 3, '__proto__'),
    task('d', () => 4),
  );
  const { state, provided } = await run(flow);
  expect(state).toBe('SUCCESS');
  expect(Object.entries(provided)).toEqual([
    ['x', 1],
    ['constructor', 2],
    ['__proto__', 3],
  ]);
});

test('an atom receives its flow, its name and the store, and an object keeps its own this', async () => {
  class Step {
    readonly name = 'out';
    readonly provides = 'out';
    readonly #secret = 42;
    execute(_: Inputs, { flow, atom, store, isRepeated, signal }: Parameters<Atom['execute']>[1]): unknown {
      return [this.#secret, flow, atom, store, isRepeated, signal.aborted];
    }
  }
  expect(await got(linear('f').add(linear('g').add(new Step())), { a: 1 })).toEqual([
    42,
    'f',
    'out',
    { a: 1 },
    false,
    false,
  ]);
});

test('a named function with properties is an atom', async () => {
  function out({ x }: Inputs): unknown {
    return x;
  }
  expect(await got(linear('f').add(Object.assign(out, { requires: ['x'], provides: 'out' })), { x: 5 })).toBe(
    5,
  );
});

test('a revert receives the inputs, the result or the failure, and all failures', async () => {
  const seen: unknown[] = [];
  const revert: Atom['revert'] = (inputs, undoing, { atom }) => void seen.push([atom, inputs, undoing]);
  const bad = (): never => {
    throw Object.assign(new Error('no'), { code: 'NO' });
  };
  await run(
    linear('f').add(
      task('a', () => 'A', { provides: 'x', revert }),
      task('b', bad, { requires: ['x'], revert }),
    ),
  );
  const failures = { b: { code: 'NO', message: 'no' } };
  expect(seen).toEqual([
    ['b', { x: 'A' }, { result: undefined, failure: failures.b, failures }],
    ['a', {}, { result: 'A', failure: undefined, failures }],
  ]);
});

test.each([
  ['a Map', () => new Map([['a', 1]])],
  ['a BigInt', () => 7n],
  ['a Promise at price', () => ({ price: Promise.resolve(3) })],
  ['a Response', () => new Response('x')],
  ['nested over 60 levels', () => Array.from({ length: 70 }).reduce((inner) => [inner], 1)],
])('a result that is %s fails its atom, whose revert receives the result itself', async (words, make) => {
  const result = make();
  const undone: unknown[] = [];
  const atom = task('a', () => result, {
    provides: 'a',
    revert: (_, undoing) => undone.push(undoing.result),
  });
  expect(await run(linear('f').add(atom))).toMatchObject({
    state: 'REVERTED',
    failures: { a: { code: 'RESULT', message: expect.stringContaining(words) } },
  });
  expect(undone[0]).toBe(result);
});

test('a result is the same in memory as after a log, and an atom that changes its input changes no other', async () => {
  const made = giving('made', { at: new Date(0), none: undefined, list: [1] }, 'x');
  const changes = task('changes', ({ x }) => (x as { list: number[] }).list.push(2), { requires: ['x'] });
  const flow = linear('f').add(made, changes, echo('out', { requires: ['x'] }));
  expect(await got(flow)).toStrictEqual({ x: { at: '1970-01-01T00:00:00.000Z', list: [1] } });
});
