import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cell, openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh } from '../support/run.ts';
import { NAMES, sorted, VALUES } from '../support/saved-values.ts';

async function sql(cwd: string, statement: string): Promise<readonly (readonly Cell[])[]> {
  const database = await openDatabase(join(cwd, 't.db'));
  try {
    return await database.all(statement);
  } finally {
    database.close();
  }
}

async function change(cwd: string, statements: string): Promise<void> {
  const database = await openDatabase(join(cwd, 't.db'));
  await database.exec(statements);
  database.close();
}

/** Saves lines to a database with a commit every 7 lines, and returns the output of task-load. */
async function saved(lines: readonly string[], options = '', cwd = freshFolder()): Promise<string[]> {
  const end = await sh(`task-save t.db --flush 7 ${options} && task-load t.db`, {
    cwd,
    input: lines.map((line) => `${line}\n`).join(''),
  });
  expect([end.code, end.stderr.includes('cannot hold')]).toEqual([0, false]);
  return end.stdout.trim().split('\n');
}

describe('a record saved to SQLite and loaded again', { timeout: 120_000 }, () => {
  test('is the same for all pairs of types in a column, in both orders', async () => {
    const lines = VALUES.flatMap((value, i) => [
      `{"uuid":"u${i}",${VALUES.map((_, k) => `"c${k}":${VALUES[(i + k) % VALUES.length]}`).join(',')}}`,
      `{"uuid":"v${i}","n":${value},"m":${VALUES.at(-1 - i)}}`,
    ]);
    const back = new Map((await saved(lines)).map((line) => [JSON.parse(line).uuid, sorted(line)]));
    for (const line of lines) expect(back.get(JSON.parse(line).uuid)).toBe(sorted(line));
  });

  test('is the same for any names and values', async () => {
    const value = fc.oneof(
      fc.constantFrom(...VALUES),
      fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.stringify(json)),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => JSON.stringify(number)),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    );
    const name = fc.oneof(fc.constantFrom(...NAMES), fc.string({ unit: 'grapheme' }));
    const attributes = fc
      .dictionary(name, value, { maxKeys: 6 })
      .map((record) => Object.entries(record).filter(([key]) => !['uuid', 'run', 'result'].includes(key)));
    await fc.assert(
      fc.asyncProperty(fc.array(attributes, { minLength: 1, maxLength: 60 }), async (records) => {
        const lines = records.map(
          (record, i) =>
            `{"uuid":"u${i}"${record.map(([key, raw]) => `,${JSON.stringify(key)}:${raw}`).join('')}}`,
        );
        const back = await saved(lines);
        const byUuid = new Map(back.map((line) => [JSON.parse(line).uuid, JSON.parse(line)]));
        for (const line of lines) expect(byUuid.get(JSON.parse(line).uuid)).toEqual(JSON.parse(line));
      }),
      { numRuns: 12 },
    );
  });

  test('has the cells that sqlite3 users expect: numbers, text, and 1 for true', async () => {
    const cwd = freshFolder();
    await saved(['{"uuid":"1","n":1.10,"s":"1","b":true,"o":{"k":1},"big":12345678901234567890}'], '', cwd);
    await saved(['{"uuid":"2","n":2,"s":"2","b":false,"o":[1],"z":null}'], '', cwd);
    expect(await sql(cwd, "select sum(n), max(s), sum(b), max(o ->> 'k'), max(big) from tasks")).toEqual([
      [3.1, '2', 1n, 1n, '12345678901234567890'],
    ]);
    expect(await sql(cwd, 'select exact, others from tasks order by uuid')).toEqual([
      ['{"n":1.10,"big":12345678901234567890}', null],
      [null, '{"z":null}'],
    ]);
  });

  test('has the values of a later UPDATE', async () => {
    const cwd = freshFolder();
    await saved(['{"uuid":"1","n":1,"b":7,"o":"x"}', '{"uuid":"2","n":1.10,"b":true,"o":{"k":1}}'], '', cwd);
    await change(cwd, `update tasks set n = 5, b = 0, o = '{"k":2}' where uuid = '2'`);
    expect((await sh('task-load t.db', { cwd })).stdout).toContain('{"uuid":"2","n":5,"b":0,"o":{"k":2}}');
    await change(cwd, "update tasks set n = null, b = 'yes', o = 'gone' where uuid = '2'");
    expect((await sh('task-load t.db', { cwd })).stdout).toContain('{"uuid":"2","b":"yes","o":"gone"}');
    await change(cwd, 'alter table tasks drop column o');
    expect((await sh('task-load t.db', { cwd })).stdout).toContain('{"uuid":"2","b":"yes"}');
  });

  test('is the same with --fields, which keeps the other values of a row', async () => {
    const cwd = freshFolder();
    await saved(['{"uuid":"1","n":1.10,"m":1.20,"z":null,"N":true}'], '', cwd);
    const back = await saved(['{"uuid":"1","n":2.0,"m":3,"z":1}'], '--fields n', cwd);
    expect(back).toEqual(['{"uuid":"1","n":2.0,"m":1.20,"z":null,"N":true}']);
  });

  test('keeps over 2,000 attributes, the last ones without a column', async () => {
    const cwd = freshFolder();
    const record = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`a${i}`, i]));
    const [line] = await saved([JSON.stringify({ uuid: 'u', ...record })], '', cwd);
    expect(JSON.parse(line as string)).toEqual({ uuid: 'u', ...record });
    expect(await sql(cwd, "select others ->> 'a2499' from tasks")).toEqual([[2499n]]);
  });
});

test('a database of an earlier version is read as before, and can be written', async () => {
  const cwd = freshFolder();
  await change(
    cwd,
    `create table tasks (uuid TEXT NOT NULL PRIMARY KEY /* by task-save */, "flag" BOOLEAN BLOB, "s", "o" JSON TEXT, "exact", "n")`,
  );
  await change(
    cwd,
    `insert into tasks values ('1', 1, '{}', '{"k":1.10}', 'e', '1.10'), ('2', 7, 'x', '"t"', null, 2)`,
  );
  const old = [
    '{"uuid":"1","flag":true,"s":"{}","o":{"k":1.10},"exact":"e","n":"1.10"}',
    '{"uuid":"2","flag":7,"s":"x","o":"t","n":2}',
  ];
  expect((await sh('task-load t.db', { cwd })).stdout.trim().split('\n')).toEqual(old);
  const added = '{"uuid":"3","flag":1,"s":{"k":1},"o":null,"exact":true,"n":1.10}';
  expect(await saved([added], '', cwd)).toEqual([...old, added]);
});

test('concurrent task-save with different types for a column save all their values', async () => {
  const cwd = freshFolder();
  const lines = (from: number, value: string): string =>
    Array.from({ length: 400 }, (_, i) => `{"uuid":"u${from + i}","x":${value},"exact":${value}}\n`).join('');
  const values = ['{"k":1}', 'true', '"5"', '1.10'];
  const ends = await Promise.all(
    values.map((value, i) =>
      sh(`task-save t.db --flush 20 --rest r${i}`, { cwd, input: lines(i * 1000, value) }),
    ),
  );
  expect(ends.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  const { stdout } = await sh('task-load t.db', { cwd });
  const back = stdout.trim().split('\n').sort();
  expect(back.length).toBe(1600);
  for (const line of back) {
    const { uuid } = JSON.parse(line);
    const value = values[Math.floor(Number(uuid.slice(1)) / 1000)];
    expect(line.split(`:${value}`).length, line).toBe(3);
  }
});
