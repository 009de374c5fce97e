import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh } from '../support/run.ts';

const error = { code: 'EXIT', message: 'exit code 1' };
const run = { state: 'FAILURE', as: 'result', attempts: 2, at: 'then', ms: 5, error };
const RECORD = { uuid: 'a', n: 1, state: 'CA', state_: 'x', result: { x: 1 }, run };

describe('task-load --query', { timeout: 60_000 }, () => {
  let cwd = '';
  beforeAll(async () => {
    cwd = freshFolder();
    await sh('task-save t.db --all', { cwd, input: `${JSON.stringify(RECORD)}\n` });
    const database = await openDatabase(join(cwd, 't.db'));
    await database.exec(`create table people (id integer primary key, name text, state text);
      insert into people values (1, 'Ann', 'NY'); create view v as select uuid, n, state from tasks`);
    database.close();
  });

  test.each([
    [
      'gives the columns of a run that the SELECT names',
      'select uuid, state, error_code, error_message, attempts, at, ms, result_key from tasks',
      {
        uuid: 'a',
        state: 'FAILURE',
        error_code: 'EXIT',
        error_message: 'exit code 1',
        attempts: 2,
        at: 'then',
        ms: 5,
        result_key: 'result',
      },
    ],
    ['gives the record for *', 'select * from tasks', { uuid: 'a', n: 1, state: 'CA', state_: 'x' }],
    [
      'gives the record and another column',
      'select tasks.*, p.name from tasks join people p on p.id = n',
      { uuid: 'a', n: 1, state: 'CA', state_: 'x', name: 'Ann' },
    ],
    ['gives an attribute its own name', 'select uuid, state_ from tasks', { uuid: 'a', state: 'CA' }],
    [
      'distinguishes state from state_ if both are selected',
      'select uuid, state, state_ from tasks',
      { uuid: 'a', state: 'FAILURE', state_: 'CA' },
    ],
    [
      'gives computed values under their names',
      "select uuid, count(*), upper('x') as y, result ->> 'x' as x from tasks",
      { uuid: 'a', 'count(*)': 1, y: 'X', x: 1 },
    ],
    [
      'gives the run columns of a subquery',
      'with t as (select * from tasks) select uuid, state, n * 2 as m from t',
      { uuid: 'a', state: 'FAILURE', m: 2 },
    ],
    [
      'gives the columns of a table of the user',
      "select 'u' as uuid, state, name from people",
      { uuid: 'u', state: 'NY', name: 'Ann' },
    ],
    [
      'takes comments, quotes and a semicolon',
      '/* c */ select uuid, \'--\' as "a;b" from tasks; -- end',
      { uuid: 'a', 'a;b': '--' },
    ],
  ])('%s', async (_, query, expected) => {
    const end = await sh(`task-load t.db --query '${query.replaceAll("'", "'\\''")}'`, { cwd });
    expect([
      end.code,
      end.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ]).toEqual([0, [expected]]);
  });

  test('gives the columns of a view, including those of a run', async () => {
    expect((await sh('task-load t.db --table v', { cwd })).stdout).toBe(
      '{"uuid":"a","n":1,"state":"FAILURE"}\n',
    );
  });

  test.each([
    ['two columns of one name', 'select a.uuid, b.uuid from tasks a, tasks b', 'two columns named uuid'],
    ['two tables with * and columns of one name', 'select * from tasks a, tasks b', 'two columns named'],
    ['a column that only a task has', 'select uuid, result from tasks', 'say "result as old_result"'],
  ])('rejects %s, and says how to rename', async (_, query, why) => {
    const end = await sh(`task-load t.db --query "${query}"`, { cwd });
    expect([end.code, end.stdout, end.stderr]).toEqual([2, '', expect.stringContaining(why)]);
  });

  test('works with --rename, --uuid-fields and --limit', async () => {
    const query =
      'with recursive n(i) as (select 1 union all select i + 1 from n) select i, 1 as result from n';
    const end = await sh(`task-load t.db --query "${query}" --rename result=r --uuid-fields i --limit 2`, {
      cwd,
    });
    expect([end.code, end.stdout.replace(/"uuid":"[^"]*",/g, '')]).toEqual([
      0,
      '{"i":1,"r":1}\n{"i":2,"r":1}\n',
    ]);
  });

  test('notes that types may change if the column exact is not selected', async () => {
    const folder = freshFolder();
    await sh('task-save t.db', { cwd: folder, input: '{"uuid":"1","n":1.10}\n' });
    const some = await sh('task-load t.db --query "select uuid, n from tasks"', { cwd: folder });
    expect([some.stdout, some.stderr]).toEqual([
      '{"uuid":"1","n":1.1}\n',
      expect.stringContaining('column exact'),
    ]);
    const all = await sh('task-load t.db --query "select uuid, n, exact from tasks"', { cwd: folder });
    expect([all.stdout, all.stderr]).toEqual(['{"uuid":"1","n":1.10}\n', 'task-load: 1 task\n']);
  });
});
