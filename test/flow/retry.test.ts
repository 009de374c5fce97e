/* Retry controllers: their decisions, and the scope of these. */
import { describe, expect, test } from 'vitest';
import {
  alwaysRevert,
  alwaysRevertAll,
  type Decision,
  Engine,
  type Flow,
  forEach,
  type History,
  linear,
  parameterizedForEach,
  type Retry,
  run,
  task,
  times,
  unordered,
} from '../../src/flow/index.ts';
import { atom, newTrace, runTraced, type Trace } from './trace.ts';

const callsIn = (trace: Trace): string =>
  trace.atoms.filter((line) => /^(call|revert) /.test(line)).join(', ');

/** Returns a flow of `a`, a nested flow of `b` under a controller, and `c`; `b` fails this many times. */
function nested(trace: Trace, retry: Retry, failures: number, outer?: Retry): Flow {
  return linear('f', { retry: outer }).add(
    atom(trace, 'a'),
    linear('n', { retry }).add(atom(trace, 'b', { failures })),
    atom(trace, 'c'),
  );
}

describe('the scope of a decision', () => {
  test.each([
    ['alwaysRevert reverts only its own flow', alwaysRevert(), 1, undefined, 'call a, call b, revert b'],
    [
      'alwaysRevertAll reverts everything',
      alwaysRevertAll(),
      1,
      undefined,
      'call a, call b, revert b, revert a',
    ],
    [
      'times(2) gives up after two tries',
      times(2),
      2,
      undefined,
      'call a, call b, revert b, call b, revert b',
    ],
    [
      'times(2) with revertAll then reverts everything',
      times(2, { revertAll: true }),
      2,
      undefined,
      'call a, call b, revert b, call b, revert b, revert a',
    ],
    [
      'alwaysRevert asks the outer controller, which retries everything',
      alwaysRevert(),
      1,
      times(2),
      'call a, call b, revert b, revert a, call a, call b, call c',
    ],
    [
      'alwaysRevertAll does not ask the outer controller',
      alwaysRevertAll(),
      1,
      times(2),
      'call a, call b, revert b, revert a',
    ],
    [
      'the outer controller can revert everything',
      alwaysRevert(),
      1,
      alwaysRevertAll(),
      'call a, call b, revert b, revert a',
    ],
  ] as const)('%s', async (_, retry, failures, outer, calls) => {
    const trace = newTrace();
    await runTraced(trace, nested(trace, retry, failures, outer));
    expect(callsIn(trace)).toBe(calls);
  });

  test('an inner controller starts over when an outer one retries', async () => {
    const trace = newTrace();
    const { state } = await runTraced(trace, nested(trace, times(2), 3, times(2)));
    expect(state).toBe('SUCCESS');
    expect(callsIn(trace)).toBe(
      'call a, call b, revert b, call b, revert b, revert a, call a, call b, revert b, call b, call c',
    );
  });

  test('excludes an unordered sibling flow, which continues', async () => {
    const trace = newTrace();
    const good = linear('g').add(atom(trace, 'x'), atom(trace, 'y'), atom(trace, 'z'));
    const flow = unordered('f').add(
      linear('n', { retry: times(3) }).add(atom(trace, 'b', { failures: 1 })),
      good,
    );
    expect((await runTraced(trace, flow)).state).toBe('SUCCESS');
    expect(callsIn(trace).match(/[xyz]/g)).toEqual(['x', 'y', 'z']);
  });
});

describe('the values of a retry', () => {
  const values = (trace: Trace): string =>
    trace.atoms.flatMap((line) => /^call a (.*)/.exec(line)?.[1] ?? []).join(' ');

  test.each([
    ['times', times(3, { provides: 'v' }), '{"v":1} {"v":2} {"v":3}'],
    ['forEach', forEach(new Set(['x', 'y', 'z']), { provides: 'v' }), '{"v":"x"} {"v":"y"} {"v":"z"}'],
    [
      'forEach with equal values',
      forEach([{ k: 1 }, { k: 1 }, 2], { provides: 'v' }),
      '{"v":{"k":1}} {"v":{"k":1}} {"v":2}',
    ],
    ['parameterizedForEach', parameterizedForEach('list', { provides: 'v' }), '{"v":7} {"v":8} {"v":9}'],
  ])('%s provides one value per try, until none is left', async (_, retry, calls) => {
    const trace = newTrace();
    const flow = linear('f', { retry }).add(atom(trace, 'a', { requires: ['v'], failures: 9 }));
    expect((await runTraced(trace, flow, { store: { list: [7, 8, 9] } })).state).toBe('REVERTED');
    expect(values(trace)).toBe(calls);
  });

  test('parameterizedForEach can take its values from an atom', async () => {
    const trace = newTrace();
    const tries = linear('n', { retry: parameterizedForEach('list', { provides: 'v' }) });
    const flow = linear('f').add(
      atom(trace, 'l', { provides: 'list', gives: ['p', 'q'] }),
      tries.add(atom(trace, 'a', { requires: ['v'], failures: 1 })),
    );
    expect(await runTraced(trace, flow)).toMatchObject({
      state: 'SUCCESS',
      provided: { list: ['p', 'q'], v: 'q' },
    });
  });

  test('an empty or invalid list fails the flow before its atoms run', async () => {
    const trace = newTrace();
    const flow = (retry: Retry): Flow => linear('f', { retry }).add(atom(trace, 'a'));
    expect((await run(flow(forEach([])))).failures).toEqual({
      f_retry: { code: 'EXHAUSTED', message: 'there is no value left to try' },
    });
    const { state, failures } = await run(flow(parameterizedForEach('x')), { store: { x: 'no list' } });
    expect([state, failures.f_retry?.message]).toEqual([
      'REVERTED',
      '"x" must be an array to try its values',
    ]);
    expect(trace.atoms).toEqual([]);
  });
});

describe('a custom controller', () => {
  test('receives the history of failures, runs before each try, and is reverted at the end', async () => {
    const trace = newTrace();
    const told: [string, string][] = [];
    const tell = (what: string, history: History): void => void told.push([what, JSON.stringify(history)]);
    const retry: Retry = {
      name: 'r',
      requires: ['from'],
      provides: 'n',
      execute(history, { from }) {
        tell('execute', history);
        return Number(from) + history.length;
      },
      async onFailure(history): Promise<Decision> {
        tell('onFailure', history);
        return history.length < 2 ? 'RETRY' : 'REVERT_ALL';
      },
      revert(history, _, { failures }) {
        tell('revert', history);
        told.push(['failures', Object.keys(failures).join()]);
      },
    };
    const flow = linear('f', { retry }).add(atom(trace, 'a', { requires: ['n'], failures: 9 }));
    const { state } = await runTraced(trace, flow, { store: { from: 10 } });
    const failures = { a: { code: 'BAD', message: 'a is bad' } };
    const [one, two] = [
      { result: 10, failures },
      { result: 11, failures },
    ];
    expect(told).toEqual([
      ['execute', '[]'],
      ['onFailure', JSON.stringify([one])],
      ['execute', JSON.stringify([one])],
      ['onFailure', JSON.stringify([one, two])],
      ['revert', JSON.stringify([one, two])],
      ['failures', 'a'],
    ]);
    expect(state).toBe('REVERTED');
    expect(trace.atoms.filter((line) => line.startsWith('r '))).toEqual([
      'r PENDING>RUNNING',
      'r RUNNING>SUCCESS',
      'r SUCCESS>RETRYING',
      'r RETRYING>RUNNING',
      'r RUNNING>SUCCESS',
      'r SUCCESS>REVERTING',
      'r REVERTING>REVERTED',
    ]);
  });

  test.each([
    ['throws', () => Promise.reject(new Error('oh')), 'oh'],
    [
      'returns an invalid decision',
      () => 'AGAIN' as never,
      'onFailure must return RETRY, REVERT or REVERT_ALL; got "AGAIN"',
    ],
  ])('that %s reverts everything and is named', async (_, onFailure, message) => {
    const trace = newTrace();
    const { state, failures } = await runTraced(trace, nested(trace, { onFailure }, 1));
    expect(state).toBe('REVERTED');
    expect(failures).toMatchObject({ b: { code: 'BAD' }, n_retry: { code: 'ERROR', message } });
    expect(callsIn(trace)).toBe('call a, call b, revert b, revert a');
  });
});

test('forEach tries the JSON of its values, and rejects values that are not JSON', async () => {
  const tried: unknown[] = [];
  const bad = task(
    'a',
    ({ at }) => {
      tried.push(at);
      throw new Error('no');
    },
    { requires: ['at'] },
  );
  const flow = linear('f', { retry: forEach([new Date(0), { n: undefined }], { provides: 'at' }) }).add(bad);
  expect((await run(flow)).state).toBe('REVERTED');
  expect(tried).toEqual(['1970-01-01T00:00:00.000Z', {}]);
  expect(() => forEach([1, 7n])).toThrow('the values of forEach() must be JSON; got a BigInt at [1]');
});

test('an atom that waited for a free place when its flow was retried does not start before its controller', async () => {
  const calls: string[] = [];
  let isBad = true;
  const retry = times(1, { name: 'inner' });
  const told = (name: string): void => void calls.push(name);
  const flow = linear('f', { retry: times(2) }).add(
    unordered('g', { retry: { ...retry, execute: () => told('inner') } }).add(
      task(
        'a',
        async () => {
          told('a');
          await new Promise(setImmediate);
          if (isBad) throw new Error('bad');
        },
        {
          revert: () => {
            isBad = false;
          },
        },
      ),
      task('b', () => told('b')),
    ),
  );
  const { state } = await new Engine(flow, { engine: 'parallel', jobs: 1 }).run();
  expect([state, calls]).toEqual(['SUCCESS', ['inner', 'a', 'inner', 'a', 'b']]);
});
