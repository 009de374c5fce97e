import { appendFileSync, chmodSync, existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder } from '../support/run.ts';
import { ask, serve, submit, until } from './service.ts';

const WAYS: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => rmSync(path),
  moved: (path) => renameSync(path, `${path}.old`),
  'replaced by another file': (path) => {
    writeFileSync(`${path}.new`, '');
    renameSync(`${path}.new`, path);
  },
  'left without its log': (path) => rmSync(`${path}-wal`),
};

describe('a store that is lost while the service runs', { timeout: 60_000 }, () => {
  for (const [way, lose] of Object.entries(WAYS)) {
    test(`is noticed if it is ${way}: 503 for reads, writes and health, and one line on stderr`, async () => {
      const cwd = freshFolder();
      const { url, said, end } = await serve(cwd, ['--port', '0', '--exec', 'cat']);
      const { origin } = new URL(url);
      const taken = await submit(url, { n: 1 });
      const task = `${url}?task_id=${taken.body.data.task_id}`;
      await until(task, ({ body }) => body.data.status === 'SUCCESS');
      lose(join(cwd, 'tasks.db'));
      for (let i = 0; i < 3; i++) {
        const post = await submit(url, { n: 2 });
        expect([post.code, post.body.error_data[0].code, post.headers.get('retry-after')]).toEqual([
          503,
          'STORE',
          '5',
        ]);
        expect((await ask(task)).code).toBe(503);
        expect((await ask(`${url}/tasks`)).code).toBe(503);
        expect((await ask(`${origin}/healthz`)).code).toBe(503);
      }
      expect(
        said()
          .split('\n')
          .filter((line) => line.includes('tasks.db')),
      ).toEqual([
        expect.stringMatching(
          /tasks\.db(-wal)? was (deleted or moved|replaced by another file) while .* put it back, or restart/,
        ),
      ]);
      expect(await end()).toBe(143);
    });
  }

  test('is used again once it is back, and no result is lost meanwhile', async () => {
    const cwd = freshFolder();
    const path = join(cwd, 'tasks.db');
    const exec = `task-exec --command 'sh -c "until [ -e go ]; do sleep 0.05; done; echo done"' --quiet`;
    const { url, said } = await serve(cwd, ['--port', '0', '--exec', exec]);
    const taken = await submit(url, { n: 1 });
    const task = `${url}?task_id=${taken.body.data.task_id}`;
    await until(task, ({ body }) => body.data.status === 'RUNNING');
    renameSync(path, `${path}.old`);
    await until(task, ({ code }) => code === 503);
    appendFileSync(join(cwd, 'go'), '');
    await until(task, () => said().includes('deleted or moved'));
    renameSync(`${path}.old`, path);
    const done = await until(task, ({ code, body }) => code === 200 && body.data.status !== 'RUNNING');
    expect(done.body.data).toMatchObject({ status: 'SUCCESS', attempts: 1 });
    expect(said()).toContain('is back');
  });
});

test('with a token, a store is readable only by its owner, even an existing one', async () => {
  const cwd = freshFolder();
  const path = join(cwd, 'tasks.db');
  writeFileSync(path, '');
  chmodSync(path, 0o644);
  await serve(cwd, ['--port', '0', '--exec', 'cat', '--token', 'a-token-of-some-length']);
  for (const part of ['', '-wal', '-shm']) expect(statSync(path + part).mode & 0o777, part).toBe(0o600);
});

test('the log of the store stays bounded while it runs, though another process reads it for a while', async () => {
  const cwd = freshFolder();
  const path = join(cwd, 'tasks.db');
  const { url } = await serve(cwd, ['--port', '0', '--exec', 'cat', '--max-body', '16MB']);
  const data = 'x'.repeat(1024 * 1024);
  const grow = async (megabytes: number): Promise<void> => {
    for (let i = 0; i < megabytes; i++) expect((await submit(url, { i, data })).code).toBe(200);
  };
  await grow(1);
  const reader = await openDatabase(path, { readonly: true });
  await reader.exec('begin');
  await reader.all('select count(*) from submissions');
  await grow(60);
  await reader.exec('commit');
  reader.close();
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(100 * 1024 * 1024);
  await grow(20);
  await until(`${url}/tasks`, () => statSync(`${path}-wal`).size < 100 * 1024 * 1024);
  expect((await ask(`${url}/tasks`)).body.data.counts.SUCCESS).toBeGreaterThan(0);
}, 120_000);

test('--keep deletes tasks that ended long ago, with their results and logs, and leaves the others', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), 'export default (task, { logger }) => void logger.info("on it");\n');
  const exec = 'task-exec --module work.mjs --quiet';
  const words = ['--port', '0', '--exec', exec, '--log-dir', 'logs'];
  const first = await serve(cwd, words);
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await submit(first.url, { n })).body.data.task_id);
  await until(`${first.url}/tasks`, ({ body }) => body.data.counts.SUCCESS === 3);
  await first.end();
  const database = await openDatabase(join(cwd, 'tasks.db'));
  await database.exec(
    `update submissions set finished = '2020-01-01T00:00:00.000Z' where uuid <> '${ids[1]}'`,
  );
  database.close();
  const { url } = await serve(cwd, [...words, '--keep', '30d']);
  const left = await until(`${url}/tasks`, ({ body }) => body.data.counts.SUCCESS === 1);
  expect(left.body.data.tasks).toMatchObject([{ task_id: ids[1] }]);
  expect(ids.map((id) => existsSync(join(cwd, 'logs', `${id}.log`)))).toEqual([false, true, false]);
}, 60_000);
