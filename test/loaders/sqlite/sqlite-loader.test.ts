import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh } from '../../support/run.ts';

async function databaseOf(sql: string): Promise<string> {
  const cwd = freshFolder();
  const database = await openDatabase(join(cwd, 't.db'));
  await database.exec(sql);
  database.close();
  return cwd;
}

describe('task-load from a database', { timeout: 60_000 }, () => {
  test('makes a task of each row of a foreign table, without NULLs and with bytes as base64', async () => {
    const cwd =
      await databaseOf(`create table places (id integer primary key, name text, data json, ok boolean, raw blob);
      insert into places values (9007199254740993, 'Köln', '{"a" : 1.10}', 1, x'ff00'), (2, null, 'no json', 0, null)`);
    const { stdout, code } = await sh('task-load t.db --table places --uuid-fields id', { cwd });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/"uuid":"[^"]*",/, ''));
    expect(lines).toEqual([
      '{"id":2,"data":"no json","ok":false}',
      '{"id":9007199254740993,"name":"Köln","data":{"a":1.10},"ok":true,"raw":"/wA="}',
    ]);
    expect(code).toBe(0);
  });

  test.each(['UTF-16le', 'UTF-16be'])(
    'reads a database in %s, also after task-save has written to it',
    async (encoding) => {
      const cwd =
        await databaseOf(`pragma encoding = '${encoding}'; create table tasks (uuid text primary key, name text, b);
      insert into tasks values ('é', 'Köln 🙂', x'00ff'), ('b', '', 1)`);
      const added = '{"uuid":"c","name":"ÄÖ","b":1.10}';
      await sh('task-save t.db', { cwd, input: `${added}\n` });
      const { stdout } = await sh('task-load t.db', { cwd });
      expect(stdout).toBe(
        `{"uuid":"é","name":"Köln 🙂","b":"AP8="}\n{"uuid":"b","name":"","b":1}\n${added}\n`,
      );
    },
  );

  test('rejects text that is not UTF-8, with its row, and continues', async () => {
    const cwd = await databaseOf(`create table tasks (uuid, name);
      insert into tasks values ('a', 'x'), ('b', cast(x'ff41' as text)), ('c', 'y')`);
    const end = await sh('task-load t.db --rejects r', { cwd });
    expect([end.stdout, end.code]).toEqual(['{"uuid":"a","name":"x"}\n{"uuid":"c","name":"y"}\n', 1]);
    expect(end.stderr).toContain('t.db:2: the column name is not valid UTF-8');
    expect(JSON.parse(readFileSync(join(cwd, 'r'), 'utf8'))).toMatchObject({ line: 2, code: 'UTF8' });
  });

  test('loads failed tasks again, in the order of the query', async () => {
    const cwd = freshFolder();
    const record = (uuid: string, state: string): string =>
      `{"uuid":"${uuid}","n":1,"result":{"x":1},"run":{"state":"${state}","as":"result","attempts":1,"at":"","ms":1}}\n`;
    const input = record('a', 'FAILURE') + record('b', 'SUCCESS') + record('c', 'FAILURE');
    await sh('task-save t.db --all', { cwd, input });
    const query = "select * from tasks where state = 'FAILURE' order by uuid desc;";
    const { stdout } = await sh(`task-load t.db --query "${query}"`, { cwd });
    expect(stdout).toBe('{"uuid":"c","n":1}\n{"uuid":"a","n":1}\n');
  });

  test('emits rows of an endless query as they arrive', async () => {
    const cwd = await databaseOf('create table tasks (uuid)');
    const query =
      "with recursive n(i) as (select 1 union all select i + 1 from n) select 'u' || i as uuid, hex(zeroblob(500)) as x from n";
    const { stdout, code } = await sh(
      `task-load t.db --query "${query}" --limit 20000 | tail -n 1 | cut -c 1-15`,
      { cwd },
    );
    expect([stdout, code]).toEqual(['{"uuid":"u20000\n', 0]);
  });

  test('never writes to the database', async () => {
    const cwd = await databaseOf("create table tasks (uuid); insert into tasks values ('a')");
    const refused = [
      'delete from tasks',
      'delete from tasks returning uuid',
      'create table x (y)',
      'vacuum',
      '',
    ].concat(
      ["attach 'o.db' as o", 'pragma user_version = 5', 'pragma table_info(tasks)', 'explain select 1'],
      [
        'with a as (select 1) delete from tasks',
        'select 1; delete from tasks',
        '/* select */ delete from tasks',
      ],
    );
    for (const sql of refused) {
      const { code, stderr } = await sh(`task-load t.db --query "${sql}"`, { cwd });
      expect([code, stderr], sql).toEqual([2, expect.stringContaining('--query must be one SELECT')]);
    }
    expect((await sh('task-load t.db', { cwd })).stdout).toBe('{"uuid":"a"}\n');
  });

  test('names the fault in the SQL, the table or the file, and lists the tables', async () => {
    const cwd = await databaseOf('create table places (uuid); create table people (uuid)');
    writeFileSync(join(cwd, 'x.db'), 'no database '.repeat(100));
    writeFileSync(join(cwd, 'empty.db'), '');
    const tried: readonly (readonly [string, number, string])[] = [
      ['t.db', 2, 'it has people, places'],
      ['t.db --query "selec 1"', 2, '--query must be one SELECT'],
      ['t.db --query "select 1 +"', 2, 'incomplete input'],
      ['t.db --query "select 1; select 2"', 2, '--query must be one SELECT'],
      ['t.db --query "select ?"', 2, '--query has a parameter'],
      ['t.db --query "select 1 as result"', 2, 'a column named result is not read'],
      ['t.db --query "select 1 as a, 2 as a"', 2, 'two columns named a'],
      ['t.db --query "select nope from places"', 2, 'no such column: nope'],
      ['x.db', 65, 'not a SQLite database'],
      ['empty.db', 2, 'it has none'],
      ['missing.db', 74, 'no such file'],
      ['- --query "select 1" < t.db', 2, 'is read from a file'],
      ['- < t.db', 2, 'is read from a file'],
    ];
    for (const [words, code, says] of tried) {
      const end = await sh(`task-load ${words}`, { cwd });
      expect([end.code, end.stderr], words).toEqual([code, expect.stringContaining(says)]);
    }
  });
});
