/* Errors in events: listeners receive the thrown values themselves. */
import { expect, test } from 'vitest';
import { Engine, type Flow, graph, linear, task } from '../../../src/flow/index.ts';

const thrower = (value: unknown) => (): never => {
  throw value;
};

/** Runs a flow. Returns the errors in the events of its atoms and of itself, by name and state. */
async function errorsOf(flow: Flow, options = {}): Promise<Record<string, unknown>> {
  const errors: Record<string, unknown> = {};
  const engine = new Engine(flow, options);
  engine.taskNotifier.register('*', (state, event) => {
    if (event.failure !== undefined) errors[`${event.atom} ${state}`] = event.error;
  });
  engine.notifier.register('*', (state, event) => {
    if (event.failure !== undefined) errors[`flow ${state} ${event.failure.message}`] = event.error;
  });
  await engine.run();
  return errors;
}

test('listeners get the thrown value itself, with its stack and its cause: of execute, of revert, and for the flow', async () => {
  const cause = new TypeError('inner');
  const error = new Error('outer', { cause });
  const stuck = new Error('stuck');
  const flow = linear('f').add(
    task('a', () => 1, { revert: thrower(stuck) }),
    task('b', thrower(error)),
  );
  const errors = await errorsOf(flow);
  expect(errors['b FAILURE']).toBe(error);
  expect(errors['a REVERT_FAILURE']).toBe(stuck);
  expect(errors['flow FAILURE outer: inner']).toBe(error);
  expect(errors['flow FAILURE stuck']).toBe(stuck);
});

test('a thrown value can be of any kind, and can come from a decider or a hook', async () => {
  const hostile = new Proxy({}, { get: thrower('no') });
  const decided = new RangeError('decider');
  const flow = graph('f').add(
    task('a', () => 1),
    task('b', () => 1),
  );
  flow.link('a', 'b', { decider: thrower(decided) });
  expect((await errorsOf(flow))['b FAILURE']).toBe(decided);
  const hooked = linear('g').add(task('c', () => 1, { preExecute: thrower(hostile) }));
  expect((await errorsOf(hooked))['c FAILURE']).toBe(hostile);
});

test('a failure that the engine itself made has no error, also after an earlier one of the same atom', async () => {
  let calls = 0;
  const flow = linear('f', { retry: { onFailure: (tries) => (tries.length < 2 ? 'RETRY' : 'REVERT') } }).add(
    task('a', () => (calls++ === 0 ? thrower(new Error('first'))() : new Promise(() => {}))),
  );
  const errors = await errorsOf(flow, { timeout: 5 });
  expect(Object.keys(errors)).toEqual(['a FAILURE', 'flow FAILURE it did not end within 5 ms']);
  expect(Object.values(errors)).toEqual([undefined, undefined]);
});
