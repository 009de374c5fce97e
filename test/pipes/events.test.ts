import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Event } from '../../src/core/record/event.ts';
import { freshFolder, sh } from '../support/run.ts';
import { linesOf, parsed, startPipeline } from './pipeline.ts';

type Told = Event & { readonly at: string };

function eventsOf(cwd: string, name: string): Told[] {
  return linesOf(cwd, name).map((line) => JSON.parse(line));
}

/** Returns the states of each task, flow and atom, in the order of events. Fails if an old state is not the last one. */
function historiesOf(events: readonly Told[], first = 'PENDING'): Map<string, string[]> {
  const histories = new Map<string, string[]>();
  for (const { uuid, flow, atom, old_state, state } of events) {
    const key = [uuid, flow, atom].filter((part) => part !== undefined).join('/');
    const history = histories.get(key) ?? [first];
    expect(old_state, `${key} from ${history.join('>')}`).toBe(history.at(-1));
    histories.set(key, [...history, state]);
  }
  return histories;
}

const WORK = `export default async ({ n }, { attempt, signal }) => {
  if (n % 5 === 0 && attempt === 1) throw Object.assign(new Error('busy'), { retry: true });
  if (n % 7 === 0) throw new Error('no');
  if (n > 190) await new Promise((resolve) => signal.addEventListener('abort', resolve));
};`;

function tasks(count: number): string {
  return Array.from({ length: count }, (_, i) => `{"uuid":"u${i + 1}","n":${i + 1}}\n`).join('');
}

describe('--events', () => {
  test('writes every state change of every task in order, and nothing else', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), WORK);
    const options = '--module work.mjs --events ev --retries 1 --backoff 1ms..3ms --quiet';
    const { stdout } = await sh(`task-exec ${options}`, { cwd, input: tasks(100) });
    const histories = historiesOf(eventsOf(cwd, 'ev'));
    expect(histories.size).toBe(100);
    for (const { uuid, n, run } of parsed(stdout)) {
      const retried = Number(n) % 5 === 0 ? ['RETRYING', 'RUNNING'] : [];
      expect(histories.get(uuid)).toEqual(['PENDING', 'RUNNING', ...retried, run.state]);
    }
  });

  test('is complete when the stage is stopped', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), WORK);
    writeFileSync(join(cwd, 'in'), tasks(300));
    const pipeline = startPipeline(
      'task-exec --module work.mjs --events ev -j 20 --grace 100ms --backoff 1ms..3ms --quiet < in | tee out | grep --line-buffered \'"u189"\'',
      { cwd },
    );
    await pipeline.said('stdout', /u189/);
    process.kill(pipeline.pid('task-exec'), 'SIGINT');
    await pipeline.end;
    const rows = parsed(readFileSync(join(cwd, 'out'), 'utf8'));
    expect(rows).toHaveLength(300);
    const histories = historiesOf(eventsOf(cwd, 'ev'));
    const ended = new Map(rows.map(({ uuid, run }) => [uuid, run]));
    for (const [uuid, { state, attempts }] of ended) {
      if (attempts > 0) expect([uuid, histories.get(uuid)?.at(-1)]).toEqual([uuid, state]);
      else expect(histories.has(uuid)).toBe(false);
    }
    expect(
      [...ended.values()].filter(({ state, attempts }) => state === 'PENDING' && attempts > 0).length,
    ).toBeGreaterThan(0);
  });

  test('writes to a file descriptor', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;');
    const { code } = await sh('task-exec --module work.mjs --events /dev/fd/3 3> ev > out', {
      cwd,
      input: tasks(1),
    });
    expect(code).toBe(0);
    expect(eventsOf(cwd, 'ev').map(({ state }) => state)).toEqual(['RUNNING', 'SUCCESS']);
  });

  test('writes a flow and its atoms between the start and the end of their task', async () => {
    const cwd = freshFolder();
    writeFileSync(
      join(cwd, 'ab.mjs'),
      `import { linear } from 'taskpipe/flow';
      const a = { name: 'a', provides: 'x', execute: () => 'made', revert() {} };
      const b = { name: 'b', requires: ['x', 'n'], execute({ n }) { if (n > 1) throw new Error('no'); }, revert() {} };
      export default linear('ab').add(a, b);`,
    );
    await sh('task-exec --flow ab.mjs --events ev --quiet', { cwd, input: tasks(2) });
    const events = eventsOf(cwd, 'ev');
    const histories = historiesOf(events);
    const done = ['PENDING', 'RUNNING', 'SUCCESS'];
    expect(Object.fromEntries(histories)).toEqual({
      u1: done,
      'u1/ab': done,
      'u1/ab/a': done,
      'u1/ab/b': done,
      u2: ['PENDING', 'RUNNING', 'REVERTED'],
      'u2/ab': ['PENDING', 'RUNNING', 'FAILURE', 'REVERTING', 'REVERTED'],
      'u2/ab/a': [...done, 'REVERTING', 'REVERTED'],
      'u2/ab/b': ['PENDING', 'RUNNING', 'FAILURE', 'REVERTING', 'REVERTED'],
    });
    expect(
      events.find(({ uuid, atom, state }) => uuid === 'u1' && atom === 'a' && state === 'SUCCESS'),
    ).toMatchObject({ result: 'made' });
    const own = events.filter(({ uuid }) => uuid === 'u2').map(({ flow }) => flow === undefined);
    expect([own[0], own.at(-1), own.slice(1, -1).includes(true)]).toEqual([true, true, false]);
  });

  test('ends the stage if events cannot be written', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;');
    const { code, stderr } = await sh('task-exec --module work.mjs --events no/such', {
      cwd,
      input: tasks(1),
    });
    expect({ code, stderr }).toEqual({
      code: 74,
      stderr: 'task-exec: cannot write --events no/such: no such file or folder\n',
    });
  });
});

test('a record names the stage that failed in a chain of three', async () => {
  const cwd = freshFolder();
  const stage = (name: string, divisor: number): string => {
    writeFileSync(
      join(cwd, `${name}.mjs`),
      `export default (task) => {
        if (task.n % ${divisor} === 0) throw Object.assign(new Error('${name} says no'), { code: 'NO' });
        return { by: '${name}', saw: Object.keys(task).filter((key) => 'abc'.includes(key)) };
      };`,
    );
    return `task-exec --module ${name}.mjs --as ${name} --keep-order --quiet`;
  };
  const { stdout } = await sh(`${stage('a', 2)} | ${stage('b', 3)} | ${stage('c', 5)}`, {
    cwd,
    input: tasks(30),
  });
  const rows = parsed(stdout);
  expect(rows).toHaveLength(30);
  for (const row of rows) {
    const n = Number(row.n);
    const failed = n % 2 === 0 ? 'a' : n % 3 === 0 ? 'b' : n % 5 === 0 ? 'c' : undefined;
    expect(row.run).toMatchObject({ state: failed === undefined ? 'SUCCESS' : 'FAILURE', as: failed ?? 'c' });
    expect(row.run.error).toEqual(
      failed === undefined ? undefined : { code: 'NO', message: `${failed} says no` },
    );
    const done = failed === undefined ? ['a', 'b', 'c'] : ['a', 'b', 'c'].slice(0, 'abc'.indexOf(failed));
    expect(['a', 'b', 'c'].filter((name) => name in row)).toEqual(done);
    for (const [i, name] of done.entries()) expect(row[name]).toEqual({ by: name, saw: done.slice(0, i) });
  }
});
