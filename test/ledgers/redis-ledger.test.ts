import { appendFileSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { openLedger } from '../../src/ledgers/index.ts';
import { leaveMark } from '../support/mark.ts';
import { needsRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { freshFolder, has, sh } from '../support/run.ts';

let redis: TestRedis;
beforeAll(async () => {
  if (await has('redis-server')) redis = await startRedis();
});
beforeEach(needsRedis);

const quiet = (): void => {};
const tasks = (...uuids: string[]): string => uuids.map((uuid) => `{"uuid":"${uuid}","n":1}\n`).join('');

test('a Redis ledger has each marked uuid once until it is unmarked', async () => {
  const ledger = openLedger(`${redis.url}#known`, quiet);
  const writer = await ledger.open();
  const many = Array.from({ length: 20_000 }, (_, i) => ({ uuid: `t${i}` }));
  await writer.append(many, true);
  await writer.append([{ uuid: 't1' }, { uuid: 't2', undone: true }], true);
  await writer.close();
  const finished = await ledger.finished();
  expect([finished.size, finished.has('t1'), finished.has('t2')]).toEqual([19_999, true, false]);
  const listed: string[] = [];
  for await (const names of ledger.list()) listed.push(...names);
  expect([listed.length, new Set(listed).size]).toEqual([19_999, 19_999]);
  expect(await ledger.check(quiet)).toEqual({ lines: 20_000, bad: 0, finished: 19_999, undone: 1 });
  await ledger.clear();
  expect((await ledger.finished()).size).toBe(0);
});

test('task-load, task-save and task-done accept a Redis ledger in place of a file', async () => {
  const cwd = freshFolder();
  const ledger = `${redis.url}#pipe`;
  const env = { TASK_LEDGER: ledger };
  await sh('task-save a.csv', { cwd, env, input: tasks('a', 'b') });
  await sh('task-save b.csv', { cwd, env, input: tasks('c') });
  const load = () =>
    sh('task-load --format ndjson | jq -r .uuid', { cwd, env, input: tasks('a', 'b', 'c', 'd') });
  expect((await load()).stdout).toBe('d\n');
  await sh(`task-done unmark ${ledger} b`, { cwd });
  expect((await load()).stdout).toBe('b\nd\n');
  // The row exists, so it is not written again. It is not marked either, as another process may be running the task.
  await sh('task-save a.csv', { cwd, env, input: tasks('b') });
  expect(readFileSync(join(cwd, 'a.csv'), 'utf8')).toBe('uuid,n\na,1\nb,1\n');
});

test('the next start repairs a crash between row and ledger, and rejects a truncated output', async () => {
  const cwd = freshFolder();
  const env = { TASK_LEDGER: `${redis.url}#crash` };
  await sh('task-save a.csv', { cwd, env, input: tasks('a') });
  leaveMark(join(cwd, 'a.csv'));
  appendFileSync(join(cwd, 'a.csv'), 'b,1\nc'); // a row that the ledger does not have, and half of another one
  const { stderr, code } = await sh('task-save a.csv', { cwd, env, input: tasks('a', 'b', 'd') });
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/did not end well[\s\S]*saved 1, 2 already there/),
  ]);
  expect((await sh(`task-done list ${env.TASK_LEDGER} | sort`)).stdout).toBe('a\nb\nd\n');
  truncateSync(join(cwd, 'a.csv'), 8);
  expect((await sh('task-save a.csv', { cwd, env, input: '' })).code).toBe(65);
});

test('missing rows of an output are reported, and --accept-edits removes them from the ledger', async () => {
  const cwd = freshFolder();
  const env = { TASK_LEDGER: `${redis.url}#edits` };
  for (const out of ['a.csv', 'a.db']) {
    const save = (input: string, options = '') => sh(`task-save ${out} ${options}`, { cwd, env, input });
    await save(tasks('a', 'b', 'c'));
    const removed =
      out === 'a.db' ? `sqlite3 a.db "delete from tasks where uuid = 'b'"` : `sed -i /^b/d a.csv`;
    await sh(removed, { cwd });
    const refused = await save('');
    expect([refused.code, refused.stderr]).toEqual([
      65,
      expect.stringMatching(/1 row is missing that the ledger redis:.*#edits names \(uuid "b"\)/),
    ]);
    expect((await save('', '--accept-edits')).stderr).toContain('1 row is gone');
    expect((await sh(`task-done list ${env.TASK_LEDGER} | sort`)).stdout).toBe('a\nc\n');
    expect((await save('')).code).toBe(0);
    expect((await save(tasks('b', 'c'))).code).toBe(0);
    expect((await sh(`task-done list ${env.TASK_LEDGER} | sort`)).stdout).toBe('a\nb\nc\n');
  }
  expect((await sh(`task-done clear --yes ${env.TASK_LEDGER}`)).code).toBe(0);
  const ledger = openLedger(env.TASK_LEDGER, quiet);
  for (const out of ['a.csv', 'a.db']) {
    const { saved, seal, isSealed } = await ledger.history(join(cwd, out));
    expect([saved.size, seal, isSealed]).toEqual([0, undefined, false]);
  }
});

test('a Redis ledger without a name is an error that shows how to name it', async () => {
  const { code, stderr } = await sh(`task-done count ${redis.url}`);
  expect([code, stderr]).toEqual([
    2,
    `task-done: a ledger in Redis has a name behind a #, as in ${redis.url}#crawl\n`,
  ]);
});
