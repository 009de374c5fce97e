import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openLedger } from '../../src/ledgers/index.ts';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { freshFolder, sh } from '../support/run.ts';

let server: TestPostgres;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);
beforeEach(needsPostgres);

const quiet = (): void => {};
const tasks = (...uuids: string[]): string => uuids.map((uuid) => `{"uuid":"${uuid}","n":1}\n`).join('');

test('a ledger in PostgreSQL has each marked uuid once until it is unmarked', async () => {
  const ledger = openLedger(`${server.url}?ledger=known`, quiet);
  expect((await ledger.finished()).size).toBe(0); // there are no tables yet
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
}, 60_000);

test('all commands accept a ledger in PostgreSQL in place of a file', async () => {
  const cwd = freshFolder();
  const ledger = `${server.url}?ledger=pipe`;
  const env = { TASK_LEDGER: ledger };
  await sh('task-save a.csv', { cwd, env, input: tasks('a', 'b') });
  await sh('task-save b.db', { cwd, env, input: tasks('c') });
  const load = () =>
    sh('task-load --format ndjson | jq -r .uuid', { cwd, env, input: tasks('a', 'b', 'c', 'd') });
  expect((await load()).stdout).toBe('d\n');
  await sh(`task-done unmark '${ledger}' b`, { cwd });
  expect((await load()).stdout).toBe('b\nd\n');
  await sh('task-save a.csv', { cwd, env, input: tasks('b') });
  expect(readFileSync(join(cwd, 'a.csv'), 'utf8')).toBe('uuid,n\na,1\nb,1\n');
  const verbs = ['count', 'has a', 'check', 'compact', 'clear --yes', 'count'];
  const ends = [];
  for (const verb of verbs) {
    const [name, ...words] = verb.split(' ');
    ends.push(await sh(`task-done ${name} '${ledger}' ${words.join(' ')}`));
  }
  expect(ends.map(({ code, stdout }) => `${code} ${stdout.trim()}`)).toEqual([
    '0 3',
    '0 ',
    '0 ',
    '0 ',
    '0 ',
    '0 0',
  ]);
}, 60_000);

describe('a ledger in the database of its output', { timeout: 60_000 }, () => {
  const save = (name: string, input: string, options = '') =>
    sh(`task-save '${server.url}' --table ${name} --ledger '${server.url}?ledger=${name}' ${options}`, {
      input,
    });
  const marks = (name: string) =>
    server
      .sql(`select uuid from taskpipe_marks where ledger = '${name}' and finished order by 1`)
      .replaceAll('\n', ' ');

  test('gets its marks in the transaction of their rows', async () => {
    expect((await save('joined', tasks('a', 'b'))).code).toBe(0);
    const where = `select distinct xmin from taskpipe_marks where ledger = 'joined' union select xmin from joined`;
    expect(server.sql(where).split('\n').length).toBe(1);
    expect(marks('joined')).toBe('a b');
  });

  test('has no mark of a row that is not in the table, and reports rows that were removed', async () => {
    await save('edited', tasks('a', 'b', 'c'));
    server.sql(`delete from edited where uuid = 'b'; insert into edited (uuid) values ('x')`);
    const refused = await save('edited', '');
    expect([refused.code, refused.stderr]).toEqual([
      65,
      expect.stringMatching(
        /table edited: 1 row is missing that the ledger postgres:.*ledger=edited names \(uuid "b"\)/,
      ),
    ]);
    expect((await save('edited', '', '--accept-edits')).stderr).toContain('1 row is gone');
    expect(marks('edited')).toBe('a c x');
    await save('edited', tasks('b'));
    expect(marks('edited')).toBe('a b c x');
  });

  test('is the table itself if the url names no ledger', async () => {
    const env = { TASK_LEDGER: `${server.url}?table=own` };
    const failed = tasks('f').replace('}', ',"run":{"state":"FAILURE","as":"result","attempts":1}}');
    await sh(`task-save '${server.url}' --table own --all`, { env, input: tasks('a') + failed });
    const { stdout } = await sh('task-load --format ndjson --quiet', { env, input: tasks('a', 'f') });
    expect(stdout).toBe(tasks('f'));
    const { code, stderr } = await sh(`task-done mark '${env.TASK_LEDGER}' z`);
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/rows of its table own say .* or add \?ledger=NAME/),
    ]);
  });
});

test('two outputs of one ledger in another place keep their own rows', async () => {
  const cwd = freshFolder();
  const save = (table: string, input: string) =>
    sh(`task-save '${server.url}' --table ${table} --ledger l.jsonl`, { cwd, input });
  await save('left', tasks('a'));
  await save('right', tasks('b'));
  expect((await save('left', tasks('c'))).code).toBe(0);
  expect((await sh('task-done list l.jsonl | sort', { cwd })).stdout).toBe('a\nb\nc\n');
}, 60_000);

test('a frozen server ends every verb with 74 and the reason after --patience', async () => {
  const ledger = `${server.url}?ledger=frozen`;
  await sh(`task-done mark '${ledger}' a`);
  server.freeze(true);
  try {
    const ends = await Promise.all(
      ['count', 'list', 'check', 'mark', 'unmark', 'skip', 'clear --yes'].map((verb) => {
        const [name, ...words] = verb.split(' ');
        return sh(`task-done ${name} '${ledger}' ${words.join(' ')} --patience 1s`, { input: 'a\n' });
      }),
    );
    for (const { code, stdout, stderr } of ends)
      expect([code, stdout, stderr]).toEqual([74, '', expect.stringMatching(/no answer from 127\.0\.0\.1/)]);
  } finally {
    server.freeze(false);
  }
  expect((await sh(`task-done list '${ledger}'`)).stdout).toBe('a\n');
}, 60_000);
