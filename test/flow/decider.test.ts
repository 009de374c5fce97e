/* Links with a decider, which skip their target. */
import { expect, test } from 'vitest';
import { type Depth, graph, linear, run, times } from '../../src/flow/index.ts';
import { atom, newTrace, runTraced, type Trace } from './trace.ts';

const ran = (trace: Trace): string =>
  trace.atoms.flatMap((line) => /^call (\w+)/.exec(line)?.[1] ?? []).join(' ');

test.each([
  ['ALL', 'a'],
  ['FLOW', 'a n1 n2'],
  ['NEIGHBORS', 'a d n1 n2'],
  ['ATOM', 'a c d n1 n2'],
] as const)(
  'a decider that returns false, with depth %s, lets only these atoms run: %s',
  async (depth: Depth, names) => {
    const trace = newTrace();
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => atom(trace, name)) as [
      never,
      never,
      never,
      never,
    ];
    const n = linear('n').add(atom(trace, 'n1'), atom(trace, 'n2'));
    const flow = graph('f')
      .add(a, b, c, d, n)
      .link(a, b, { decider: () => false, depth })
      .link(b, c)
      .link(c, d)
      .link(d, n);
    expect((await runTraced(trace, flow)).state).toBe('SUCCESS');
    expect(ran(trace)).toBe(names);
  },
);

test('a decider receives the results of the source atoms of links with deciders, except skipped ones', async () => {
  const trace = newTrace();
  const seen: unknown[] = [];
  const yes = (results: unknown): boolean => seen.push(results) > 0;
  const no = (): boolean => false;
  const flow = graph('f')
    .add(atom(trace, 'a'), atom(trace, 'b'), atom(trace, 'c'), atom(trace, 'd'))
    .link('a', 'c', { decider: no, depth: 'ATOM' })
    .link('a', 'd', { decider: yes })
    .link('b', 'd', { decider: yes })
    .link('c', 'd', { decider: no });
  await runTraced(trace, flow);
  expect(seen).toEqual([
    { a: 'a!', b: 'b!' },
    { a: 'a!', b: 'b!' },
  ]);
  expect(ran(trace)).toBe('a b d');
});

test('a link to a nested flow decides for the whole flow', async () => {
  const trace = newTrace();
  const n = linear('n').add(linear('m').add(atom(trace, 'b')), atom(trace, 'c'));
  const flow = graph('f')
    .add(atom(trace, 'a'), n)
    .link('a', 'n', { decider: () => false });
  expect((await runTraced(trace, flow)).state).toBe('SUCCESS');
  expect(ran(trace)).toBe('a');
  expect(trace.atoms.slice(-2)).toEqual(['b PENDING>IGNORE', 'c PENDING>IGNORE']);
});

test('a skipped atom is not reverted', async () => {
  const trace = newTrace();
  const flow = graph('f')
    .add(atom(trace, 'a'), atom(trace, 'b'), atom(trace, 'c', { failures: 1 }))
    .link('a', 'b', { decider: () => false, depth: 'ATOM' })
    .link('b', 'c');
  expect((await runTraced(trace, flow)).state).toBe('REVERTED');
  expect(trace.atoms.filter((line) => line.startsWith('revert'))).toEqual(['revert c', 'revert a']);
});

test('an atom whose decider throws fails with that error and does not run', async () => {
  const trace = newTrace();
  const decider = (): boolean => {
    throw new Error('can not say');
  };
  const flow = graph('f').add(atom(trace, 'a'), atom(trace, 'b')).link('a', 'b', { decider });
  expect(await runTraced(trace, flow)).toMatchObject({
    state: 'REVERTED',
    failures: { b: { message: 'can not say' } },
  });
  expect(ran(trace)).toBe('a');
  expect(trace.atoms.at(-1)).toBe('a REVERTING>REVERTED');
});

test('a decider that returns a promise fails the atom, because a promise would count as yes', async () => {
  const flow = graph('f').add(atom(newTrace(), 'a'), atom(newTrace(), 'b'));
  flow.link('a', 'b', { decider: (async () => false) as never });
  expect(await run(flow)).toMatchObject({
    state: 'REVERTED',
    failures: { b: { message: expect.stringContaining('must return true or false, not a promise') } },
  });
});

test('an atom runs after two branches that deciders left out, one of them nested deeper', async () => {
  const trace = newTrace();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => atom(trace, name)) as [never, never, never, never];
  const no = { decider: () => false, depth: 'ATOM' } as const;
  const nested = linear('n').add(linear('m').add(c));
  const flow = graph('f').add(a, b, nested, d).link(a, b, no).link(a, nested, no).link(b, d).link(nested, d);
  expect((await runTraced(trace, flow)).state).toBe('SUCCESS');
  expect(ran(trace)).toBe('a d');
});

test('a controller that a decider left out is not asked: the flow around it is reverted', async () => {
  const trace = newTrace();
  const a = atom(trace, 'a');
  const inner = linear('n', { retry: times(2) }).add(atom(trace, 'b', { failures: 9 }));
  const flow = graph('f')
    .add(a, inner)
    .link(a, inner, { decider: () => false, depth: 'ATOM' });
  expect((await runTraced(trace, flow)).state).toBe('REVERTED');
  expect(trace.atoms.filter((line) => /^(call|revert)/.test(line))).toEqual([
    'call a',
    'call b',
    'revert b',
    'revert a',
  ]);
});
