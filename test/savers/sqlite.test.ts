import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Cell, openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { type Ended, freshFolder, sh, start } from '../support/run.ts';

const RUN = { state: 'SUCCESS', as: 'result', attempts: 1, at: '2024-01-01T00:00:00.000Z', ms: 5 };
const good = (uuid: string, more: object = {}): string => `${JSON.stringify({ uuid, ...more, run: RUN })}\n`;
const bad = (uuid: string, more: object = {}): string => {
  const error = { code: 'HTTP_STATUS', message: '500' };
  return `${JSON.stringify({ uuid, ...more, run: { ...RUN, state: 'FAILURE', error } })}\n`;
};

async function rowsOf(path: string, sql: string): Promise<readonly (readonly Cell[])[]> {
  const database = await openDatabase(path, { readonly: true });
  try {
    return await database.all(sql);
  } finally {
    database.close();
  }
}

function save(cwd: string, input: string, options = ''): Promise<Ended> {
  return sh(`task-save t.db ${options}`, { cwd, input });
}

describe('task-save to a database', { timeout: 60_000 }, () => {
  test('gives each attribute a column with its value, and a run its own columns', async () => {
    const cwd = freshFolder();
    const line = `{"uuid":"a","n":9007199254740993,"big":12345678901234567890,"p":1.10,"f":0.5,"s":"007","o":{"x":[1.10]},"b":true,"z":null,"state":"CA","run":${JSON.stringify(RUN)},"result":{"status":200}}\n`;
    expect((await save(cwd, line)).code).toBe(0);
    const [row] = await rowsOf(
      join(cwd, 't.db'),
      'select n, big, p, f, s, o, b, state, state_, result, ms, error_code from tasks',
    );
    expect(row).toEqual([
      9007199254740993n,
      '12345678901234567890',
      1.1,
      0.5,
      '007',
      '{"x":[1.10]}',
      1n,
      'SUCCESS',
      'CA',
      '{"status":200}',
      5n,
      null,
    ]);
  });

  test('keeps booleans, objects and 64-bit integers for task-load', async () => {
    const cwd = freshFolder();
    const task =
      '{"uuid":"a","n":-9223372036854775808,"f":0.1,"o":{"é":[true]},"b":false,"state":"CA","s":"{}"}';
    await save(cwd, `${task}\n`);
    expect((await sh('task-load t.db', { cwd })).stdout).toBe(`${task}\n`);
  });

  test('keeps real numbers to the last bit', async () => {
    const cwd = freshFolder();
    const values = Array.from({ length: 5000 }, (_, i) => Math.sin(i + 1) * 10 ** ((i % 600) - 300));
    await save(cwd, values.map((value, i) => `{"uuid":"u${i}","value":${JSON.stringify(value)}}\n`).join(''));
    const { stdout } = await sh('task-load t.db', { cwd });
    const lines = stdout.trim().split('\n');
    expect(lines.map((line) => Number(JSON.parse(line).value))).toEqual(values);
  });

  test('replaces an earlier row by a later record, but never a success by a failure', async () => {
    const cwd = freshFolder();
    await save(cwd, bad('a') + good('b', { n: 1 }), '--all');
    await save(cwd, good('a') + bad('b', { n: 2 }) + good('c', { n: 1 }) + good('c', { n: 2 }), '--all');
    const rows = await rowsOf(
      join(cwd, 't.db'),
      'select uuid, state, n, error_code from tasks order by uuid',
    );
    expect(rows).toEqual([
      ['a', 'SUCCESS', null, null],
      ['b', 'SUCCESS', 1n, null],
      ['c', 'SUCCESS', 2n, null],
    ]);
  });

  test('sends failures to the rest file, and removes them once they are saved', async () => {
    const cwd = freshFolder();
    expect((await save(cwd, good('a') + bad('b'))).code).toBe(1);
    expect(readFileSync(join(cwd, 't.db.rest.ndjson'), 'utf8')).toContain('"b"');
    expect((await save(cwd, good('b'))).code).toBe(0);
    expect(existsSync(join(cwd, 't.db.rest.ndjson'))).toBe(false);
    expect(await rowsOf(join(cwd, 't.db'), 'select count(*) from tasks')).toEqual([[2n]]);
  });

  test('saves the columns of --fields and keeps the other columns of a row', async () => {
    const cwd = freshFolder();
    await save(cwd, good('a', { n: 1, m: 2 }));
    await save(cwd, good('a', { n: 3, m: 4, result: { status: 200 } }), '--fields n,result.status,run.state');
    expect(await rowsOf(join(cwd, 't.db'), 'select n, m, "result.status", state from tasks')).toEqual([
      [3n, 2n, 200n, 'SUCCESS'],
    ]);
  });

  test('replaces only its own table with --overwrite', async () => {
    const cwd = freshFolder();
    await save(cwd, good('a'), '--table other');
    await save(cwd, good('a', { n: 1 }));
    await save(cwd, good('b'), '--overwrite');
    expect(await rowsOf(join(cwd, 't.db'), 'select uuid from tasks')).toEqual([['b']]);
    expect(await rowsOf(join(cwd, 't.db'), 'select uuid from other')).toEqual([['a']]);
  });

  test('serves as its own ledger, and adds its rows to another one', async () => {
    const cwd = freshFolder();
    await save(cwd, good('a') + bad('b'), '--all --ledger t.db');
    expect((await sh('task-done list t.db', { cwd })).stdout).toBe('a\n');
    await save(cwd, good('c'), '--ledger l.jsonl');
    expect((await sh('task-done list l.jsonl | sort', { cwd })).stdout).toBe('a\nc\n');
    const { stdout } = await sh(`printf '{"uuid":"a"}\n{"uuid":"b"}\n' | task-load --ledger t.db --quiet`, {
      cwd,
    });
    expect(stdout).toBe('{"uuid":"b"}\n');
  });

  test('lets two processes save to one database at once', async () => {
    const cwd = freshFolder();
    const half = (from: number): string =>
      Array.from({ length: 3000 }, (_, i) => good(`u${from + i}`, { [`n${from}`]: i })).join('');
    const ends = await Promise.all([
      save(cwd, half(0), '--flush 50 --rest r1'),
      save(cwd, half(2000), '--flush 50 --rest r2'),
    ]);
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual([
      [0, 'task-save: saved 3,000\n'],
      [0, 'task-save: saved 3,000\n'],
    ]);
    expect(await rowsOf(join(cwd, 't.db'), 'select count(*) from tasks')).toEqual([[5000n]]);
  });

  test('emits a record with --tee once another process can read its row', async () => {
    const cwd = freshFolder();
    const saver = start('task-save t.db --tee --flush 1', { cwd });
    saver.stdin?.write(good('a'));
    await new Promise((resolve) => saver.stdout?.once('data', resolve));
    expect(await rowsOf(join(cwd, 't.db'), 'select uuid from tasks')).toEqual([['a']]);
    saver.stdin?.end();
    await new Promise((resolve) => saver.once('close', resolve));
    cpSync(join(cwd, 't.db'), join(cwd, 'copy.db')); // without its log
    expect(await rowsOf(join(cwd, 'copy.db'), 'select uuid from tasks')).toEqual([['a']]);
  });

  test('stores a name that differs only in case from a column under others', async () => {
    const cwd = freshFolder();
    const { code } = await save(cwd, good('a', { name: 1 }) + good('b', { Name: 2 }));
    expect(code).toBe(0);
    const rows = await rowsOf(join(cwd, 't.db'), "select name, others ->> 'Name' from tasks order by uuid");
    expect(rows).toEqual([
      [1n, null],
      [null, 2n],
    ]);
  });
});

describe('an invalid database, table or option', { timeout: 60_000 }, () => {
  test('is rejected by task-save with the reason', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'x.db'), 'uuid,name\n'.repeat(200));
    const foreign = await openDatabase(join(cwd, 'y.db'));
    await foreign.exec('create table tasks (uuid text); create table ok (uuid text primary key, state)');
    foreign.close();
    const tried: readonly (readonly [string, number, string])[] = [
      ['x.db', 65, 'not a SQLite database'],
      ['y.db', 65, 'several rows of one uuid'],
      ['y.db --table ok', 65, 'its column state'],
      ['t.db --widen', 2, '--widen has no effect on sqlite'],
      ['t.db --escape-formulas', 2, '--escape-formulas has no effect on sqlite'],
      ['t.db --overwrite --tee', 2, 'no row is safe'],
      ['t.db --ledger t.db --table x', 2, 'by its table tasks'],
      ['t.csv --table x', 2, '--table has no effect on csv'],
      ['- --format sqlite', 2, 'needs a file'],
      ['no/t.db', 74, 'no such file or folder'],
    ];
    for (const [words, code, says] of tried) {
      const end = await sh(`task-save ${words}`, { cwd, input: good('a') });
      expect([end.code, end.stderr], words).toEqual([code, expect.stringContaining(says)]);
    }
  });
});
