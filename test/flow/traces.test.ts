/* Transitions observed in TaskFlow 5.0, one by one. These engines make the same ones. */
import { describe, expect, test } from 'vitest';
import { forEach, graph, linear, times } from '../../src/flow/index.ts';
import { atom, newTrace, recorded, runTraced, type Trace } from './trace.ts';

const FAILED = ['PENDING>RUNNING', 'RUNNING>FAILURE', 'FAILURE>REVERTING', 'REVERTING>REVERTED'];
const GOOD = ['PENDING>RUNNING', 'RUNNING>SUCCESS'];

describe.each(['serial', 'parallel'] as const)('a %s engine, like TaskFlow,', (engine) => {
  let trace: Trace;
  const fresh = (): Trace => {
    trace = newTrace();
    return trace;
  };

  test('runs a linear flow in order and passes values on', async () => {
    const t = fresh();
    const flow = linear('f').add(atom(t, 'a', { provides: 'x' }), atom(t, 'b', { requires: ['x'] }));
    expect((await runTraced(t, flow, { engine })).state).toBe('SUCCESS');
    expect(t.atoms).toEqual(
      recorded(
        'a PENDING>RUNNING · call a · a RUNNING>SUCCESS · b PENDING>RUNNING · call b {"x": "a!"} · b RUNNING>SUCCESS',
      ),
    );
    expect(t.flow).toEqual(GOOD);
  });

  test('reverts the failed atom, then the successful ones, last first', async () => {
    const t = fresh();
    const flow = linear('f').add(atom(t, 'a'), atom(t, 'b', { failures: 1 }), atom(t, 'c'));
    expect((await runTraced(t, flow, { engine })).state).toBe('REVERTED');
    expect(t.atoms).toEqual(
      recorded(
        `a PENDING>RUNNING · call a · a RUNNING>SUCCESS · b PENDING>RUNNING · call b · b RUNNING>FAILURE
         b FAILURE>REVERTING · revert b · b REVERTING>REVERTED · a SUCCESS>REVERTING · revert a · a REVERTING>REVERTED`,
      ),
    );
    expect(t.flow).toEqual(FAILED);
    expect(t.all.indexOf('flow RUNNING>FAILURE')).toBe(t.all.indexOf('b RUNNING>FAILURE') + 1);
    expect(t.all.indexOf('flow FAILURE>REVERTING')).toBe(t.all.indexOf('b FAILURE>REVERTING') - 1);
  });

  test('stops at an atom that cannot be reverted', async () => {
    const t = fresh();
    const flow = linear('f').add(atom(t, 'a', { revertFails: true }), atom(t, 'b', { failures: 1 }));
    expect(await runTraced(t, flow, { engine })).toMatchObject({
      state: 'FAILURE',
      failures: { b: { code: 'BAD', message: 'b is bad' } },
      revertFailures: { a: { code: 'ERROR', message: "a can't be undone" } },
    });
    expect(t.atoms).toEqual(
      recorded(
        `a PENDING>RUNNING · call a · a RUNNING>SUCCESS · b PENDING>RUNNING · call b · b RUNNING>FAILURE
         b FAILURE>REVERTING · revert b · b REVERTING>REVERTED · a SUCCESS>REVERTING · revert a · a REVERTING>REVERT_FAILURE`,
      ),
    );
    expect(t.flow).toEqual(['PENDING>RUNNING', 'RUNNING>FAILURE', 'FAILURE>REVERTING', 'REVERTING>FAILURE']);
  });

  test('tries the next value of forEach', async () => {
    const t = fresh();
    const retry = forEach([1, 2], { name: 'r', provides: 'v' });
    const flow = linear('f', { retry }).add(atom(t, 'a', { requires: ['v'], failures: 1 }));
    expect((await runTraced(t, flow, { engine })).state).toBe('SUCCESS');
    expect(t.atoms).toEqual(
      recorded(
        `r PENDING>RUNNING · r RUNNING>SUCCESS · a PENDING>RUNNING · call a {"v": 1} · a RUNNING>FAILURE
         a FAILURE>REVERTING · revert a · a REVERTING>REVERTED · r SUCCESS>RETRYING · a REVERTED>PENDING
         r RETRYING>RUNNING · r RUNNING>SUCCESS · a PENDING>RUNNING · call a {"v": 2} · a RUNNING>SUCCESS`,
      ),
    );
    expect(t.flow).toEqual(GOOD);
  });

  test('retries a nested flow without the outer flow', async () => {
    const t = fresh();
    const nested = linear('n', { retry: times(2, { name: 'r' }) }).add(atom(t, 'b', { failures: 1 }));
    const flow = linear('f').add(atom(t, 'a'), nested, atom(t, 'c'));
    expect((await runTraced(t, flow, { engine })).state).toBe('SUCCESS');
    expect(t.atoms).toEqual(
      recorded(
        `a PENDING>RUNNING · call a · a RUNNING>SUCCESS · r PENDING>RUNNING · r RUNNING>SUCCESS · b PENDING>RUNNING · call b
         b RUNNING>FAILURE · b FAILURE>REVERTING · revert b · b REVERTING>REVERTED · r SUCCESS>RETRYING · b REVERTED>PENDING
         r RETRYING>RUNNING · r RUNNING>SUCCESS · b PENDING>RUNNING · call b · b RUNNING>SUCCESS · c PENDING>RUNNING · call c
         c RUNNING>SUCCESS`,
      ),
    );
    expect(t.flow).toEqual(GOOD);
  });

  test('skips everything after a decider that returns false', async () => {
    const t = fresh();
    const [a, b, c] = [atom(t, 'a'), atom(t, 'b'), atom(t, 'c')] as const;
    const flow = graph('f')
      .add(a, b, c)
      .link(a, b, { decider: () => false })
      .link(b, c);
    expect((await runTraced(t, flow, { engine })).state).toBe('SUCCESS');
    expect(t.atoms).toEqual(
      recorded('a PENDING>RUNNING · call a · a RUNNING>SUCCESS · b PENDING>IGNORE · c PENDING>IGNORE'),
    );
    expect(t.flow).toEqual(GOOD);
  });
});
