/* Errors in a flow are found before anything runs. */
import { expect, test } from 'vitest';
import {
  type Atom,
  Engine,
  type Flow,
  forEach,
  graph,
  linear,
  task,
  times,
  unordered,
} from '../../../src/flow/index.ts';

const atom = (name: string, more: Omit<Atom, 'name' | 'execute'> = {}): Atom => task(name, () => name, more);

/** Returns the error of a flow, or `nothing`. */
function fault(make: () => Flow, store: Record<string, unknown> = {}): string {
  try {
    new Engine(make(), { store });
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code} ${message}`;
  }
  return 'nothing';
}

test('a missing input is reported with its atom and flow', () => {
  const late = (): Flow => linear('f').add(atom('a', { requires: ['x'] }), atom('b', { provides: 'x' }));
  expect(fault(() => linear('f').add(atom('a', { requires: ['x'] })))).toBe(
    'USAGE flow "f": "a" requires "x", but the store has no such value, and no atom before it provides one',
  );
  expect(fault(late)).toMatch(/"a" requires "x".*\("b" provides it, but does not run before\)$/);
  expect(fault(late, { x: 1 })).toBe('nothing');
  expect(fault(() => unordered('f').add(atom('a', { requires: 'x' }), atom('b', { provides: 'x' })))).toMatch(
    /"a" requires/,
  );
  expect(fault(() => linear('f').add(atom('a', { requires: ['constructor'] })))).toMatch(
    /requires "constructor"/,
  );
});

test('an input that is optional, injected, rebound, or provided by a retry controller is not missing', () => {
  expect(fault(() => linear('f').add(atom('a', { optional: ['x'] })))).toBe('nothing');
  expect(fault(() => linear('f').add(atom('a', { requires: ['x'], inject: { x: 1 } })))).toBe('nothing');
  const retry = forEach([1], { provides: 'x' });
  expect(fault(() => linear('f', { retry }).add(atom('a', { requires: ['x'] })))).toBe('nothing');
  expect(fault(() => linear('f').add(atom('a', { requires: ['x'], rebind: { x: 'y' } })), { y: 1 })).toBe(
    'nothing',
  );
});

test('two atoms with the same name are reported with their flows', () => {
  expect(fault(() => linear('f').add(atom('a'), unordered('g').add(atom('a'))))).toBe(
    'USAGE flow "f": two atoms are called "a" (one in "f", one in "g"); each needs its own name',
  );
  const nested = (): Flow => linear('g', { retry: times(2, { name: 'a' }) }).add(atom('b'));
  expect(fault(() => linear('f').add(atom('a'), nested()))).toMatch(/two atoms are called "a"/);
});

test('a flow that is added twice, or to itself, is rejected', () => {
  const shared = linear('g').add(atom('a'));
  expect(fault(() => linear('f').add(shared, linear('h').add(shared)))).toMatch(
    /^USAGE flow "g" is there twice/,
  );
  const own = linear('f');
  expect(fault(() => own.add(own))).toMatch(/^USAGE flow "f" is there twice/);
});

test('an input with two providers that have no order is rejected', () => {
  const both = [atom('a', { provides: 'x' }), atom('b', { provides: 'x' })];
  const user = (): Atom => atom('c', { requires: ['x'] });
  const said =
    'USAGE flow "f": "c" requires "x", and both "a" and "b" provide it; link one of them, or give one another name';
  expect(fault(() => graph('f').add(...both, user()))).toBe(said);
  expect(fault(() => linear('f').add(unordered('g').add(...both), user()))).toMatch(
    /requires "x", and both "[ab]" and "[ab]"/,
  );
  expect(fault(() => linear('f').add(...both, user()))).toBe('nothing');
  expect(
    fault(() =>
      graph('f')
        .add(...both, user())
        .link('a', 'c')
        .link('b', 'a'),
    ),
  ).toBe('nothing');
});

test('a cycle in a graph is reported with its parts', () => {
  const circle = (): Flow =>
    graph('f').add(
      atom('a', { requires: ['z'], provides: 'x' }),
      atom('b', { requires: ['x'], provides: 'y' }),
      atom('c', { requires: ['y'], provides: 'z' }),
      atom('d', { requires: ['z'] }),
    );
  expect(fault(circle)).toBe(
    'USAGE flow "f": its parts wait for one another in a circle: "a" -> "b" -> "c" -> "a"',
  );
});

test('add() rejects a part that is neither an atom nor a flow, and says what to do', () => {
  class Step {
    readonly name = 's';
    execute(): void {}
  }
  const add = (part: unknown): string => fault(() => linear('f').add(part as Atom));
  expect(add(new Step())).toBe('nothing');
  expect(add(function named() {})).toBe('nothing');
  expect(add(Step)).toMatch(
    /^USAGE flow "f": add\(\) takes atoms and flows; got the class Step; add an instance/,
  );
  expect(add(() => 1)).toMatch(/a function without a name; give it one by task\(name, fn\)/);
  expect(add({ name: 'a' })).toMatch(/an object without execute; an atom has a name and a function execute/);
  expect(add({ name: '', execute() {} })).toMatch(/an atom without a name/);
  expect(add(Promise.resolve())).toMatch(/a promise; await it first/);
  expect(add(undefined)).toMatch(/got undefined/);
  expect(fault(() => linear('f').add(atom('a', { requires: [1] as never })))).toMatch(
    /^USAGE requires of "a" in flow "f" must be names; got \[1\]/,
  );
});

test('invalid flows, links, controllers and engines are rejected', () => {
  const a = atom('a');
  expect(fault(() => linear(''))).toMatch(/a flow must have a name/);
  expect(fault(() => linear('f', { retry: {} as never }))).toMatch(
    /retry must be a controller such as times\(3\)/,
  );
  expect(fault(() => linear('f').add(a).link(a, a))).toMatch(/only a graph has links, and this is linear/);
  expect(fault(() => graph('f').add(a).link('a', 'b'))).toMatch(/has no part "b" to link/);
  expect(fault(() => graph('f').add(a, atom('b')).link('a', 'b', { depth: 'ALL' }))).toMatch(
    /depth needs a decider/,
  );
  const decider = (): boolean => true;
  expect(
    fault(() =>
      graph('f')
        .add(a, atom('b'))
        .link('a', 'b', { decider, depth: 'DEEP' as never }),
    ),
  ).toMatch(/depth must be one of ALL, FLOW, NEIGHBORS, ATOM; got "DEEP"/);
  expect(() => times(0)).toThrow(/must be a whole number of at least 1; got 0/);
  expect(() => new Engine(linear('f'), { engine: 'fast' as never })).toThrow(
    /engine must be serial or parallel/,
  );
  expect(() => new Engine(linear('f'), { jobs: 0 })).toThrow(/jobs must be a whole number/);
});

test('a flow in use accepts no more parts', () => {
  const inner = linear('g').add(atom('a'));
  const flow = linear('f').add(inner);
  new Engine(flow);
  expect(() => flow.add(atom('b'))).toThrow('flow "f" is in use already; build it before it is run');
  expect(() => inner.add(atom('b'))).toThrow(/flow "g" is in use already/);
});
