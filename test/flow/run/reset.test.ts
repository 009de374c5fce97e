/* Engines that are reset and run again. */
import { expect, test } from 'vitest';
import { Engine, type FlowChange, linear, task, times } from '../../../src/flow/index.ts';
import { compile } from '../../../src/flow/plan/compile.ts';
import { replay } from '../../../src/flow/run/snapshot.ts';
import { atom, newTrace, traced } from '../trace.ts';

test('a finished engine runs again after reset(), from the beginning and with the same states', async () => {
  const trace = newTrace();
  const retry = times(2);
  const flow = linear('f').add(
    atom(trace, 'a'),
    linear('g', { retry }).add(atom(trace, 'b', { failures: 4 })),
  );
  const engine = traced(trace, flow);
  const first = await engine.run();
  expect(first).toMatchObject({ state: 'REVERTED', failures: { b: { code: 'BAD' } } });
  const lines = trace.atoms.splice(0);
  engine.reset();
  expect(engine.state).toBe('PENDING');
  expect(trace.flow.at(-1)).toBe('REVERTED>PENDING');
  const back = ['a SUCCESS>PENDING', 'b REVERTED>PENDING', 'g_retry REVERTED>PENDING'];
  expect(trace.atoms.splice(0).sort()).toEqual(back);
  expect((await engine.run()).state).toBe('REVERTED');
  expect(trace.atoms.splice(0)).toEqual(lines);
  engine.reset();
  expect(await engine.run()).toMatchObject({ state: 'SUCCESS', failures: {}, errors: {} });
  expect(first.errors).toHaveProperty('b');
});

test('reset() removes results and failures, also from a snapshot', async () => {
  const engine = new Engine(linear('f').add(task('a', () => 1, { provides: 'x' })));
  await engine.run();
  engine.reset();
  expect(engine.toJSON().atoms).toEqual({ a: { state: 'PENDING', intention: 'EXECUTE', turn: 0 } });
});

test('an engine whose revert failed can be reset', async () => {
  const trace = newTrace();
  const flow = linear('f').add(atom(trace, 'a', { failures: 1, revertFails: true }));
  const engine = traced(trace, flow);
  expect((await engine.run()).state).toBe('FAILURE');
  engine.reset();
  expect((await engine.run()).state).toBe('SUCCESS');
});

test('reset() is refused while a flow runs and while it is suspended', async () => {
  const engine = new Engine(
    linear('f').add(
      task('a', () => {
        expect(() => engine.reset()).toThrow('flow "f" is running; reset() it when run() has ended');
      }),
      task('b', () => engine.suspend()),
      task('c', () => 1),
    ),
  );
  engine.reset();
  expect((await engine.run()).state).toBe('SUSPENDED');
  expect(() => engine.reset()).toThrow('flow "f" is SUSPENDED; run() it to its end before reset()');
  expect((await engine.run()).state).toBe('SUCCESS');
});

test('a stored list of changes with a reset in it restores the state of the later run', async () => {
  const changes: FlowChange[] = [];
  const journal = { add: (change: FlowChange) => void changes.push(change), sync: async () => {} };
  const flow = linear('f').add(task('a', () => 1));
  const engine = new Engine(flow, { journal });
  await engine.run();
  engine.reset();
  await engine.run();
  expect(changes).toContainEqual({ restored: {} });
  expect(replay(compile(flow), changes).record(0)).toMatchObject({ state: 'SUCCESS', result: 1, turn: 1 });
});
