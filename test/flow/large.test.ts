/* Flows of many atoms, and flows that are nested deep: nothing grows with the square of their number. */
import { expect, test } from 'vitest';
import {
  type Atom,
  alwaysRevertAll,
  draw,
  Engine,
  type EngineKind,
  type Flow,
  type FlowResult,
  graph,
  linear,
  task,
  times,
  unordered,
} from '../../src/flow/index.ts';

const MANY = 10_000;
const DEEP = 2_000;

const many = <T>(make: (number: number) => T): T[] =>
  Array.from({ length: MANY }, (_, number) => make(number));

/** Runs a flow. If the cost grew with the square of the atoms, it would exceed the time limit of a test. */
async function runAll(flow: Flow, engine: EngineKind = 'serial'): Promise<FlowResult> {
  return new Engine(flow, { engine, jobs: 100, store: { first: 0 } }).run();
}

/** Returns an atom that requires the value of the one before it and provides the next. */
function link(number: number, more: Partial<Atom> = {}): Atom {
  const requires = number === 0 ? 'first' : `v${number - 1}`;
  return task(`a${number}`, (inputs) => (inputs[requires] as number) + 1, {
    requires,
    provides: `v${number}`,
    ...more,
  });
}

const bad = (name: string, more: Partial<Atom> = {}): Atom =>
  task(name, () => Promise.reject(new Error('bad')), more);

test.each([
  ['linear', 'serial'],
  ['linear', 'parallel'],
  ['graph', 'serial'],
  ['graph', 'parallel'],
] as const)('a %s flow of 10,000 atoms that pass a value on runs (%s)', async (pattern, engine) => {
  const flow = { linear, graph }[pattern]('f').add(...many(link));
  const { state, provided } = await runAll(flow, engine);
  expect([state, provided[`v${MANY - 1}`]]).toEqual(['SUCCESS', MANY]);
});

test.each(['serial', 'parallel'] as const)('an unordered flow of 10,000 atoms runs (%s)', async (engine) => {
  const flow = unordered('f').add(
    ...many((number) =>
      task(`a${number}`, async () => number, { requires: 'first', provides: `v${number}` }),
    ),
  );
  const { state, provided } = await runAll(flow, engine);
  expect([state, Object.keys(provided).length]).toEqual(['SUCCESS', MANY]);
});

test('atoms that all provide the same name are found', async () => {
  const flow = linear('f').add(
    ...many((number) =>
      task(`a${number}`, ({ first }) => (first as number) + 1, { requires: 'first', provides: 'first' }),
    ),
  );
  expect((await runAll(flow)).provided).toEqual({ first: MANY });
});

test('a value that all 10,000 atoms of a linked graph require is found', async () => {
  const flow = graph('f').add(
    ...many((number) =>
      task(`a${number}`, () => number, number === 0 ? { provides: 'x' } : { requires: 'x' }),
    ),
  );
  for (let number = 1; number < MANY; number++) flow.link(`a${number - 1}`, `a${number}`);
  expect((await runAll(flow)).state).toBe('SUCCESS');
});

test.each([
  ['linear', 'serial'],
  ['unordered', 'serial'],
  ['unordered', 'parallel'],
  ['graph', 'parallel'],
] as const)('10,000 atoms of a %s flow are reverted (%s)', async (pattern, engine) => {
  let reverted = 0;
  const revert = (_: unknown, { failures }: { failures: object }): void => {
    if (Object.keys(failures).length === 1) reverted++;
  };
  const parts = unordered('u').add(...many((number) => task(`u${number}`, () => {}, { revert })));
  const inner =
    pattern === 'unordered'
      ? parts
      : { linear, graph }[pattern]('g').add(...many((number) => link(number, { revert })));
  const { state } = await runAll(linear('f').add(inner, bad('end')), engine);
  expect([state, reverted]).toEqual(['REVERTED', MANY]);
});

test.each(['serial', 'parallel'] as const)('10,000 atoms that all fail are reverted (%s)', async (engine) => {
  const flow = unordered('f').add(...many((number) => bad(`a${number}`, { revert: () => {} })));
  expect((await runAll(flow, engine)).state).toBe('REVERTED');
  const retried = unordered('g', { retry: times(2) }).add(...many((number) => bad(`b${number}`)));
  expect((await runAll(retried, engine)).state).toBe('REVERTED');
});

test('10,000 deciders that leave out their atoms are asked', async () => {
  const chain = graph('f').add(...many((number) => task(`a${number}`, () => number)));
  for (let number = 1; number < MANY; number++)
    chain.link(`a${number - 1}`, `a${number}`, { decider: () => number % 2 === 0, depth: 'ATOM' });
  expect((await runAll(chain)).state).toBe('SUCCESS');
  const star = graph('g').add(
    task('b', () => 1),
    ...many((number) => task(`c${number}`, () => number)),
  );
  for (let number = 0; number < MANY; number++) star.link('b', `c${number}`, { decider: () => false });
  expect((await runAll(star)).state).toBe('SUCCESS');
});

test('a cycle of 10,000 parts is reported', async () => {
  const flow = graph('f').add(...many((number) => task(`a${number}`, () => number)));
  for (let number = 0; number < MANY; number++) flow.link(`a${number}`, `a${(number + 1) % MANY}`);
  await expect(runAll(flow)).rejects.toThrow(/in a circle: "a0" -> "a1" -> .* -> "a0"$/);
});

test.each(['linear', 'unordered', 'graph'] as const)(
  '2,000 nested %s flows run, are reverted, and are drawn',
  async (pattern) => {
    const make = { linear, unordered, graph }[pattern];
    const nest = (end: Atom): Flow => {
      let flow = make('f0', { retry: alwaysRevertAll() }).add(end);
      for (let depth = 1; depth < DEEP; depth++)
        flow = make(`f${depth}`, depth % 2 === 0 ? { retry: times(1, { revertAll: true }) } : {}).add(
          task(`a${depth}`, () => depth, { provides: `v${depth}` }),
          flow,
        );
      return flow;
    };
    const good = nest(task('end', () => 'end'));
    expect((await runAll(good)).state).toBe('SUCCESS');
    const engine = new Engine(nest(bad('end')));
    let events = 0;
    engine.taskNotifier.register('REVERTED', () => events++);
    expect((await engine.run()).state).toBe('REVERTED');
    expect(events).toBe(DEEP + DEEP / 2);
    const resumed = new Engine(nest(task('end', () => 'end')), {
      resume: JSON.parse(JSON.stringify(engine)),
    });
    expect((await resumed.run()).state).toBe('REVERTED');
    expect(draw(good, 'dot').match(/subgraph/g)).toHaveLength(DEEP);
    expect(draw(good, 'mermaid').match(/^ *end$/gm)).toHaveLength(DEEP);
  },
);
