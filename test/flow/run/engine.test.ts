/* Engines: listeners, suspending and resuming, parallel atoms, timeouts. */
import { describe, expect, test } from 'vitest';
import {
  ATOM_TRANSITIONS,
  Engine,
  FLOW_TRANSITIONS,
  type FlowSnapshot,
  graph,
  linear,
  run,
  task,
  times,
  unordered,
} from '../../../src/flow/index.ts';
import { checkAtomTransition, checkFlowTransition } from '../../../src/flow/run/states.ts';
import { atom, newTrace, runTraced, traced } from '../trace.ts';

test('a transition that no table lists is rejected', () => {
  expect(ATOM_TRANSITIONS.task.PENDING).toEqual(['RUNNING', 'IGNORE']);
  expect(ATOM_TRANSITIONS.retry.SUCCESS).toEqual(['REVERTING', 'RETRYING']);
  expect(FLOW_TRANSITIONS.FAILURE).toEqual(['REVERTING', 'PENDING']);
  expect(() => checkAtomTransition('task', 'a', 'SUCCESS', 'RETRYING')).toThrow(
    'the task "a" can\'t go from SUCCESS to RETRYING',
  );
  expect(() => checkAtomTransition('retry', 'a', 'SUCCESS', 'RETRYING')).not.toThrow();
  expect(() => checkFlowTransition('f', 'SUCCESS', 'REVERTING')).toThrow(
    'the flow "f" can\'t go from SUCCESS to REVERTING',
  );
});

describe('listeners', () => {
  test('receive the states that they registered for, with the outcome, until they are deregistered', async () => {
    const heard: unknown[] = [];
    const bad = (): never => {
      throw new Error('no');
    };
    const engine = new Engine(
      linear('f').add(
        task('a', () => 1),
        task('b', bad),
      ),
    );
    const listener = (state: string, event: object): void => void heard.push([state, event]);
    engine.taskNotifier.register('SUCCESS', listener);
    engine.taskNotifier.register('SUCCESS', listener);
    engine.taskNotifier.register('FAILURE', listener);
    engine.notifier.register('REVERTED', listener);
    engine.notifier.register('*', listener);
    expect(engine.notifier.deregister('*', listener)).toBe(true);
    expect(engine.notifier.deregister('*', listener)).toBe(false);
    await engine.run();
    expect(heard).toEqual([
      ['SUCCESS', { flow: 'f', atom: 'a', old_state: 'RUNNING', state: 'SUCCESS', result: 1 }],
      [
        'FAILURE',
        {
          flow: 'f',
          atom: 'b',
          old_state: 'RUNNING',
          state: 'FAILURE',
          failure: { code: 'ERROR', message: 'no' },
          error: expect.objectContaining({ message: 'no', stack: expect.stringContaining('engine.test.ts') }),
        },
      ],
      ['REVERTED', { flow: 'f', old_state: 'REVERTING', state: 'REVERTED' }],
    ]);
  });

  test('that throw or reject do not affect the run or other listeners', async () => {
    const trace = newTrace();
    const engine = new Engine(linear('f').add(atom(trace, 'a')));
    const heard: string[] = [];
    engine.notifier.register('*', () => {
      throw new Error('mine');
    });
    engine.taskNotifier.register('*', (async () => Promise.reject(new Error('mine'))) as () => void);
    engine.taskNotifier.register('*', (state) => void heard.push(state));
    expect((await engine.run()).state).toBe('SUCCESS');
    expect(heard).toEqual(['RUNNING', 'SUCCESS']);
  });
});

describe('a suspended flow', () => {
  const journals = { journal: { add: () => {}, sync: async () => {} }, 'no journal': undefined };
  test.each(
    (['serial', 'parallel'] as const).flatMap((engine) =>
      Object.entries(journals).map(([name, journal]) => ({ name, engine, journal })),
    ),
  )('starts nothing after a microtask of an atom suspends it ($engine, $name)', async (options) => {
    const calls: string[] = [];
    const first = task('a', () => queueMicrotask(() => engine.suspend()));
    const { engine: kind, journal } = options;
    const flow = linear('f').add(
      first,
      task('b', () => void calls.push('b')),
    );
    const engine: Engine = new Engine(flow, { engine: kind, journal });
    expect((await engine.run()).state).toBe('SUSPENDED');
    expect(calls).toEqual([]);
  });

  test('lets the current atom finish, starts no other, and resumes when it is run again', async () => {
    const trace = newTrace();
    const engine = traced(
      trace,
      linear('f').add(atom(trace, 'a'), atom(trace, 'b', { turns: 3 }), atom(trace, 'c')),
    );
    engine.taskNotifier.register('RUNNING', (_, { atom: name }) => {
      if (name === 'b') engine.suspend();
    });
    expect((await engine.run()).state).toBe('SUSPENDED');
    expect(trace.flow).toEqual(['PENDING>RUNNING', 'RUNNING>SUSPENDING', 'SUSPENDING>SUSPENDED']);
    expect(trace.atoms.at(-1)).toBe('b RUNNING>SUCCESS');
    expect((await engine.run()).state).toBe('SUCCESS');
    expect(trace.flow.slice(3)).toEqual([
      'SUSPENDED>RESUMING',
      'RESUMING>SUSPENDED',
      'SUSPENDED>RUNNING',
      'RUNNING>SUCCESS',
    ]);
    expect(trace.atoms.filter((line) => line.startsWith('call'))).toEqual(['call a', 'call b', 'call c']);
  });

  test('resumes reverting, also in another engine', async () => {
    const trace = newTrace();
    const flow = linear('f').add(
      atom(trace, 'a', { provides: 'x' }),
      atom(trace, 'b'),
      atom(trace, 'c', { failures: 1 }),
    );
    const first = traced(trace, flow);
    first.taskNotifier.register('REVERTING', (_, { atom: name }) => {
      if (name === 'b') first.suspend();
    });
    expect((await first.run()).state).toBe('SUSPENDED');
    const resume = JSON.parse(JSON.stringify(first)) as FlowSnapshot;
    expect(resume.atoms.a).toMatchObject({ state: 'SUCCESS', intention: 'REVERT', result: 'a!' });
    expect((await traced(trace, flow, { resume }).run()).failures).toEqual({
      c: { code: 'BAD', message: 'c is bad' },
    });
    expect(trace.atoms.filter((line) => line.startsWith('revert'))).toEqual([
      'revert c',
      'revert b',
      'revert a',
    ]);
    expect(trace.flow.slice(-4)).toEqual([
      'SUSPENDED>RESUMING',
      'RESUMING>SUSPENDED',
      'SUSPENDED>REVERTING',
      'REVERTING>REVERTED',
    ]);
  });

  test('reverts the latest start first, also if it was resumed from a snapshot in between', async () => {
    const trace = newTrace();
    const flow = linear('f').add(
      unordered('g').add(atom(trace, 'a'), atom(trace, 'b'), atom(trace, 'c'), atom(trace, 'd')),
      atom(trace, 'z', { failures: 1 }),
    );
    const first = traced(trace, flow);
    first.taskNotifier.register('RUNNING', (_, { atom: name }) => {
      if (name === 'b') first.suspend();
    });
    expect((await first.run()).state).toBe('SUSPENDED');
    const resume = JSON.parse(JSON.stringify(first)) as FlowSnapshot;
    expect((await traced(trace, flow, { resume }).run()).state).toBe('REVERTED');
    const named = (what: string): string[] =>
      trace.atoms.filter((line) => line.startsWith(`${what} `)).map((line) => line.slice(what.length + 1));
    expect(named('call')).toHaveLength(5);
    expect(named('revert')).toEqual(named('call').reverse());
  });

  test('keeps the tries of its controllers', async () => {
    const trace = newTrace();
    const flow = linear('f', { retry: times(3, { provides: 'n' }) }).add(
      atom(trace, 'a', { requires: ['n'], failures: 9 }),
    );
    const first = new Engine(flow);
    first.taskNotifier.register('RETRYING', () => first.suspend());
    expect((await first.run()).state).toBe('SUSPENDED');
    const resume = JSON.parse(JSON.stringify(first)) as FlowSnapshot;
    expect((await run(flow, { resume })).state).toBe('REVERTED');
    expect(trace.atoms.filter((line) => line.startsWith('call'))).toEqual([
      'call a {"n":1}',
      'call a {"n":2}',
      'call a {"n":3}',
    ]);
  });

  test('ends if its last atom was running', async () => {
    const trace = newTrace();
    const engine = traced(trace, linear('f').add(atom(trace, 'a')));
    engine.taskNotifier.register('RUNNING', () => engine.suspend());
    expect((await engine.run()).state).toBe('SUCCESS');
    expect(trace.flow).toEqual(['PENDING>RUNNING', 'RUNNING>SUSPENDING', 'SUSPENDING>SUCCESS']);
    expect((await engine.run()).state).toBe('SUCCESS'); // there is nothing left to do
    expect(trace.atoms).toHaveLength(3);
  });

  test('cannot resume as another flow', () => {
    const resume = new Engine(linear('f').add(task('a', () => 1))).toJSON();
    expect(() => new Engine(linear('g').add(task('a', () => 1)), { resume })).toThrow(
      /does not fit the flow "g".*it is of "f"/,
    );
    expect(() => new Engine(linear('f').add(task('b', () => 1)), { resume })).toThrow(/it has no atom "a"/);
  });
});

describe('a parallel engine', () => {
  test('runs and reverts independent atoms at the same time, up to the number of jobs', async () => {
    let now = 0;
    const most = { call: 0, revert: 0 };
    const busy = async (what: 'call' | 'revert'): Promise<void> => {
      most[what] = Math.max(most[what], ++now);
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      now--;
    };
    const parts = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      task(name, () => busy('call'), { revert: () => busy('revert') }),
    );
    const bad = task('z', () => Promise.reject(new Error('no')));
    const flow = linear('f').add(unordered('g').add(...parts), bad);
    expect((await run(flow, { engine: 'parallel', jobs: 3 })).state).toBe('REVERTED');
    expect(most).toEqual({ call: 3, revert: 3 });
    most.call = 0;
    await run(flow, { engine: 'serial' });
    expect(most.call).toBe(1);
  });

  test('waits for running atoms after a failure, then reverts them too', async () => {
    const trace = newTrace();
    const slow = linear('s').add(atom(trace, 'a', { turns: 20 }), atom(trace, 'never'));
    const flow = unordered('f').add(slow, atom(trace, 'b', { turns: 2, failures: 1 }));
    expect((await runTraced(trace, flow, { engine: 'parallel' })).state).toBe('REVERTED');
    expect(trace.atoms.filter((line) => /^(call|revert)/.test(line))).toEqual([
      'call a',
      'call b',
      'revert b',
      'revert a',
    ]);
  });
});

describe('a call that times out', () => {
  test('fails the atom, aborts its signal, and reverts the atom', async () => {
    let told = false;
    const hangs = task(
      'a',
      (_, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            told = true;
            resolve(told);
          }),
        ),
    );
    const { state, failures } = await run(linear('f').add(hangs), { timeout: 20 });
    expect([state, failures]).toEqual([
      'REVERTED',
      { a: { code: 'TIMEOUT', message: 'it did not end within 20 ms' } },
    ]);
    expect(told).toBe(true);
  });

  test('has an aborted signal also for an atom that reads it only then', async () => {
    let read: (isAborted: boolean) => void;
    const isAborted = new Promise<boolean>((resolve) => {
      read = resolve;
    });
    const late = task('a', async (_, context) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      read(context.signal.aborted);
    });
    expect((await run(linear('f').add(late), { timeout: 20 })).state).toBe('REVERTED');
    expect(await isAborted).toBe(true);
  });

  test('in a revert leaves the flow in FAILURE', async () => {
    const bad = task('a', () => Promise.reject(new Error('no')), { revert: () => new Promise(() => {}) });
    expect(await run(linear('f').add(bad), { timeout: 20 })).toMatchObject({
      state: 'FAILURE',
      revertFailures: { a: { code: 'TIMEOUT' } },
    });
  });
});

test('a running engine rejects a second run', async () => {
  const engine = new Engine(
    linear('f').add(task('a', () => new Promise<void>((resolve) => setImmediate(resolve)))),
  );
  const running = engine.run();
  await expect(engine.run()).rejects.toThrow('flow "f" runs already');
  expect((await running).state).toBe('SUCCESS');
});

test.each([
  ['an engine has no option "job"; did you mean jobs?', () => new Engine(linear('f'), { job: 2 } as never)],
  ['timeout must be a number of milliseconds', () => new Engine(linear('f'), { timeout: '1s' } as never)],
  ['of 24 days at most; got 2592000000', () => new Engine(linear('f'), { timeout: 30 * 86_400_000 })],
  ['flow "f" has no option "decider"', () => linear('f', { decider: () => true } as never)],
  [
    'its retry controller has no option "onfailure"',
    () => linear('f', { retry: { ...times(2), onfailure: 1 } as never }),
  ],
  [
    'atom "a" has no option "require"; did you mean requires?',
    () => linear('f').add(task('a', () => 1, { require: 'b' } as never)),
  ],
  [
    'atom "a" has no option "retry"',
    () => linear('f').add({ name: 'a', execute: () => 1, retry: times(2) } as never),
  ],
  [
    'link() has no option "retry"',
    () =>
      graph('f')
        .add(
          task('a', () => 1),
          task('b', () => 2),
        )
        .link('a', 'b', { retry: 1 } as never),
  ],
])('a wrong option is rejected: %s', (words, make) => {
  expect(make).toThrow(words);
});
