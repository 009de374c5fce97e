import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Cell, openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh, start } from '../support/run.ts';

async function open<T>(
  cwd: string,
  act: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(join(cwd, 't.db'));
  try {
    return await act(database);
  } finally {
    database.close();
  }
}
const change = (cwd: string, statements: string): Promise<void> =>
  open(cwd, (database) => database.exec(statements));
const rowsOf = (cwd: string, sql: string): Promise<readonly (readonly Cell[])[]> =>
  open(cwd, (database) => database.all(sql));

const lines = (...records: object[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

/** Tables that reject the second of three rows, each with the reason in the message. */
const REFUSALS: readonly (readonly [string, string, string])[] = [
  [
    'NOT NULL',
    "create table tasks (uuid text primary key, n int not null, name text not null default 'x'); create trigger x before insert on tasks when new.n = 2 begin insert into tasks values ('4', null, 'x'); end",
    'NOT NULL constraint failed: tasks.n',
  ],
  [
    'CHECK with a name',
    'create table tasks (uuid text primary key, n int, constraint small check (n <> 2))',
    'CHECK constraint failed: small',
  ],
  [
    'UNIQUE on another column',
    "create table tasks (uuid text primary key, n int unique); insert into tasks values ('0', 2)",
    'UNIQUE constraint failed: tasks.n',
  ],
  [
    'a foreign key',
    'create table p (id int primary key); insert into p values (1), (3); create table tasks (uuid text primary key, n int references p)',
    'FOREIGN KEY constraint failed',
  ],
  [
    'a deferred foreign key',
    'create table p (id int primary key); insert into p values (1), (3); create table tasks (uuid text primary key, n int references p deferrable initially deferred)',
    'FOREIGN KEY constraint failed',
  ],
  [
    'a trigger that aborts',
    "create table tasks (uuid text primary key, n int); create trigger x before insert on tasks when new.n = 2 begin select raise(abort, 'two is taboo'); end",
    'two is taboo',
  ],
  [
    'a trigger that rolls back',
    "create table tasks (uuid text primary key, n int); create trigger x before insert on tasks when new.n = 2 begin select raise(rollback, 'two is taboo'); end",
    'two is taboo',
  ],
  [
    'a trigger that fails',
    "create table tasks (uuid text primary key, n int); create trigger x before insert on tasks when new.n = 2 begin select raise(fail, 'two is taboo'); end",
    'two is taboo',
  ],
  [
    'a trigger that ignores',
    'create table tasks (uuid text primary key, n int); create trigger x before insert on tasks when new.n = 2 begin select raise(ignore); end',
    'left the row out',
  ],
  [
    'a constraint that ignores',
    'create table tasks (uuid text primary key, n int unique on conflict ignore); insert into tasks values (0, 2)',
    'left the row out',
  ],
  [
    'a constraint that rolls back',
    'create table tasks (uuid text primary key, n int unique on conflict rollback); insert into tasks values (0, 2)',
    'UNIQUE constraint failed',
  ],
  [
    'an expression that fails',
    "create table tasks (uuid text primary key, n int, j as (case n when 2 then json('{') end) stored)",
    'malformed JSON',
  ],
  [
    'WITHOUT ROWID',
    'create table tasks (uuid text primary key, n int check (n <> 2)) without rowid',
    'CHECK constraint failed: n <> 2',
  ],
];

describe('task-save to a table of the user', { timeout: 60_000 }, () => {
  test.each(REFUSALS)(
    'sends a row that %s rejects to the rest file and saves the others',
    async (_, sql, why) => {
      const cwd = freshFolder();
      await change(cwd, sql);
      const input = lines({ uuid: '1', n: 1 }, { uuid: '2', n: 2 }, { uuid: '3', n: 3 });
      const end = await sh('task-save t.db --ledger l --tee', { cwd, input });
      expect([end.code, end.stderr]).toEqual([1, expect.stringContaining(why)]);
      expect(await rowsOf(cwd, "select uuid from tasks where uuid <> '0' order by 1")).toEqual([
        ['1'],
        ['3'],
      ]);
      const rest = readFileSync(join(cwd, 't.db.rest.ndjson'), 'utf8');
      expect(JSON.parse(rest)).toMatchObject({ uuid: '2', n: 2, run: { error: { code: 'CONSTRAINT' } } });
      expect((await sh('task-done list l | grep -v 0 | sort', { cwd })).stdout).toBe('1\n3\n');
      expect(end.stdout.split('\n')).toEqual(['{"uuid":"1","n":1}', rest.trim(), '{"uuid":"3","n":3}', '']);
    },
  );

  test('uses the default of a column that the record lacks', async () => {
    const cwd = freshFolder();
    await change(
      cwd,
      "create table tasks (uuid text primary key, n int default 5, s text not null default 'it''s', t text default (lower('X')), c default current_timestamp)",
    );
    const input = lines({ uuid: '1' }, { uuid: '2', n: 1, s: 'a', t: 'b', c: 'd' });
    expect((await sh('task-save t.db', { cwd, input })).code).toBe(0);
    expect(await rowsOf(cwd, 'select n, s, t, length(c) from tasks')).toEqual([
      [5n, "it's", 'x', 19n],
      [1n, 'a', 'b', 1n],
    ]);
  });

  test('sends digits that a column would change to the rest file: 007 in an INTEGER or STRING', async () => {
    const cwd = freshFolder();
    await change(
      cwd,
      'create table tasks (uuid text primary key, i integer, s string, t varchar(9), b blob, p real)',
    );
    const kept = lines(
      { uuid: '1', i: '7', s: 'x', t: '007', b: '007', p: '1.10' },
      { uuid: '2', s: '-5', t: 7 },
    );
    const changed = [{ i: '007' }, { s: '007' }, { i: '12345678901234567890' }, { p: '1E5' }];
    const input = kept + lines(...changed.map((record, i) => ({ uuid: `c${i}`, ...record })));
    const end = await sh('task-save t.db', { cwd, input });
    expect([end.code, end.stderr]).toEqual([
      1,
      expect.stringContaining('would change "007"; declare it as TEXT'),
    ]);
    expect(await rowsOf(cwd, 'select * from tasks')).toEqual([
      ['1', 7n, 'x', '007', '007', 1.1],
      ['2', null, -5n, '7', null, null],
    ]);
    expect(readFileSync(join(cwd, 't.db.rest.ndjson'), 'utf8').match(/"c\d"/g)).toEqual([
      '"c0"',
      '"c1"',
      '"c2"',
      '"c3"',
    ]);
  });

  test('saves rows from the rest file once the constraint is gone, without running them again', async () => {
    const cwd = freshFolder();
    await change(cwd, 'create table tasks (uuid text primary key, n int not null)');
    const run = { state: 'SUCCESS', as: 'result', attempts: 1, at: '', ms: 1 };
    const end = await sh('task-save t.db --fields n', { cwd, input: lines({ uuid: '1', m: 1, run }) });
    expect([end.code, end.stderr]).toEqual([
      1,
      expect.stringContaining('NOT NULL constraint failed: tasks.n'),
    ]);
    await change(cwd, 'drop table tasks');
    expect((await sh('task-save t.db < t.db.rest.ndjson', { cwd })).code).toBe(0);
    expect(await rowsOf(cwd, 'select uuid, m, state from tasks')).toEqual([['1', 1n, 'SUCCESS']]);
    expect(existsSync(join(cwd, 't.db.rest.ndjson'))).toBe(false);
  });

  test('keeps the accepted row of a uuid, whether another record was rejected before or after it', async () => {
    const cwd = freshFolder();
    await change(cwd, 'create table tasks (uuid text primary key, n int check (n > 5))');
    const input = lines(
      { uuid: '1', n: 1 },
      { uuid: '1', n: 6 },
      { uuid: '2', n: 2 },
      { uuid: '2', n: 7 },
      { uuid: '3', n: 7 },
      { uuid: '3', n: 3 },
    );
    const end = await sh('task-save t.db --flush 3', { cwd, input });
    expect(await rowsOf(cwd, 'select uuid, n from tasks')).toEqual([
      ['1', 6n],
      ['2', 7n],
      ['3', 7n],
    ]);
    expect(readFileSync(join(cwd, 't.db.rest.ndjson'), 'utf8').match(/"uuid":"\d"/g)).toEqual(['"uuid":"3"']);
    expect(end.code).toBe(1);
  });

  test('sends wrong types for a STRICT table, and attributes without a column, to the rest file', async () => {
    const cwd = freshFolder();
    await change(cwd, 'create table tasks (uuid text primary key, n int, g int as (n * 2)) strict');
    const input = lines({ uuid: '1', n: 1 }, { uuid: '2', n: 'x' }, { uuid: '3', m: 1 }, { uuid: '4', g: 1 });
    const end = await sh('task-save t.db', { cwd, input });
    expect([end.code, await rowsOf(cwd, 'select * from tasks')]).toEqual([1, [['1', 1n, 2n]]]);
    const rest = readFileSync(join(cwd, 't.db.rest.ndjson'), 'utf8');
    for (const why of ['cannot store TEXT value in INT column', 'is STRICT', 'is generated'])
      expect(rest).toContain(why);
  });

  test('ends with 65 and the reason if the whole table cannot be written', async () => {
    const cwd = freshFolder();
    await change(
      cwd,
      `create table base (uuid text primary key, n); create view tasks as select * from base;
       create table tr (uuid text primary key, n);
       create trigger t after insert on tr begin insert into nothere values (1); end;
       create virtual table fts using fts5(uuid, n)`,
    );
    for (const [table, why] of [
      ['tasks', 'is a view'],
      ['tr', 'no such table: main.nothere'],
      ['fts', 'not a primary key'],
    ]) {
      const end = await sh(`task-save t.db --table ${table}`, { cwd, input: lines({ uuid: '1', n: 1 }) });
      expect([end.code, end.stderr], table).toEqual([65, expect.stringContaining(why as string)]);
    }
  });

  test.each([
    ['dropped', 'drop table tasks', 65, 'no such table: tasks'],
    ['changed', 'alter table tasks drop column n', 65, 'column'],
    ['altered by a renamed column', 'alter table tasks rename column n to old', 65, 'column'],
  ])('reports a table that is %s during the run', async (_, sql, code, why) => {
    const cwd = freshFolder();
    const saver = start('task-save t.db --tee --flush 1', { cwd });
    let stderr = '';
    saver.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    saver.stdin?.write(lines({ uuid: '1', n: 1 }));
    await new Promise((resolve) => saver.stdout?.once('data', resolve));
    await change(cwd, sql);
    saver.stdin?.end(lines({ uuid: '2', n: 2 }));
    const ended = await new Promise((resolve) => saver.once('close', resolve));
    expect([ended, stderr]).toEqual([code, expect.stringContaining(why)]);
  });

  test('accepts any file name, and an empty file, as a database', async () => {
    const cwd = freshFolder();
    for (const name of [
      'a?b.db',
      'a#b.db',
      'a%41.db',
      'file:x.db',
      'ä b.db',
      "o'k.db",
      'empty.db',
      'mode=ro&.db',
    ]) {
      if (name === 'empty.db') writeFileSync(join(cwd, name), '');
      const end = await sh(`task-save "./${name}" && task-load "./${name}"`, {
        cwd,
        input: lines({ uuid: '1', n: 1 }),
      });
      expect([end.code, end.stdout], name).toEqual([0, '{"uuid":"1","n":1}\n']);
      expect(existsSync(join(cwd, name)), name).toBe(true);
      rmSync(join(cwd, name));
    }
  });
});
