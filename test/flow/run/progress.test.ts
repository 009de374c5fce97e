/* Progress of atoms, as listeners see it. */
import { expect, test } from 'vitest';
import { Engine, type Flow, linear, run, task } from '../../../src/flow/index.ts';

/** Runs a flow. Returns what listeners to progress receive, and what those to all states do. */
async function told(flow: Flow): Promise<{ progress: unknown[]; states: string[] }> {
  const progress: unknown[] = [];
  const states: string[] = [];
  const engine = new Engine(flow);
  engine.taskNotifier.register('PROGRESS', (state, event) =>
    progress.push([state, event.atom, event.progress]),
  );
  engine.taskNotifier.register('*', (state) => states.push(state));
  await engine.run();
  return { progress, states };
}

test('listeners to PROGRESS receive the progress of atoms and of reverts; those to states do not', async () => {
  const flow = linear('f').add(
    task('a', (_, context) => context.progress(0.4), {
      revert: (_inputs, _undoing, context) => context.progress(0.5),
    }),
    task('b', (_, context) => {
      context.progress(0);
      context.progress(1);
      throw new Error('no');
    }),
  );
  const { progress, states } = await told(flow);
  expect(progress).toEqual([
    ['RUNNING', 'a', 0.4],
    ['RUNNING', 'b', 0],
    ['RUNNING', 'b', 1],
    ['REVERTING', 'a', 0.5],
  ]);
  expect(states).toEqual([
    ...['RUNNING', 'SUCCESS', 'RUNNING', 'FAILURE'],
    ...['REVERTING', 'REVERTED', 'REVERTING', 'REVERTED'],
  ]);
});

test.each([
  [1.5, '1.5'],
  [-0.1, '-0.1'],
  [Number.NaN, 'NaN'],
  ['0.5', '"0.5"'],
  [null, 'null'],
  [undefined, 'undefined'],
  [{}, 'object'],
])('progress(%s) fails the atom and says what it takes', async (part, shown) => {
  const { failures } = await run(
    linear('f').add(task('a', (_, context) => context.progress(part as number))),
  );
  expect(failures.a).toEqual({
    code: 'USAGE',
    message: `progress() of "a" takes a number from 0 to 1; got ${shown}`,
  });
});

test('an atom that reports its progress in a loop causes at most about a thousand events', async () => {
  const steps = 1_000_000;
  const flow = linear('f').add(
    task('a', (_, context) => {
      for (let step = 0; step <= steps; step++) context.progress(step / steps);
    }),
  );
  const { progress } = await told(flow);
  expect(progress.length).toBeGreaterThan(900);
  expect(progress.length).toBeLessThan(1100);
  expect(progress.at(-1)).toEqual(['RUNNING', 'a', 1]);
});

test('progress after the end of a call, or after its timeout, is ignored', async () => {
  const late: (() => void)[] = [];
  const flow = linear('f').add(
    task('a', (_, context) => void late.push(() => context.progress(0.9))),
    task('b', () => late[0]?.()),
    task('c', (_, context) => {
      late.push(() => context.progress(0.9));
      return new Promise(() => {});
    }),
  );
  const progress: unknown[] = [];
  const engine = new Engine(flow, { timeout: 5 });
  engine.taskNotifier.register('PROGRESS', (_, event) => progress.push(event));
  expect((await engine.run()).failures.c?.code).toBe('TIMEOUT');
  late[1]?.();
  expect(progress).toEqual([]);
});
