import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import { NAMES, sorted, VALUES } from '../support/saved-values.ts';

let server: TestPostgres;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);
beforeEach(needsPostgres);

const RUN = { state: 'SUCCESS', as: 'result', attempts: 1, at: '2024-01-01T00:00:00.000Z', ms: 5 };
const good = (uuid: string, more: object = {}): string => `${JSON.stringify({ uuid, ...more, run: RUN })}\n`;
const bad = (uuid: string, more: object = {}): string => {
  const error = { code: 'HTTP_STATUS', message: '500' };
  return `${JSON.stringify({ uuid, ...more, run: { ...RUN, state: 'FAILURE', error } })}\n`;
};

function save(table: string, input: string, options = '', cwd = freshFolder()): Promise<Ended> {
  return sh(`task-save '${server.url}' --table ${table} ${options}`, { cwd, input });
}

/** Returns the path of the rest file of a table. */
const restOf = (cwd: string, table: string, database = 'postgres'): string =>
  join(cwd, `postgres+127.0.0.1+${server.port}+${database}+${table}.rest.ndjson`);

describe('task-save to PostgreSQL', { timeout: 60_000 }, () => {
  test('adds a column for each attribute by its first value, and separate columns for the run', async () => {
    const line = `{"uuid":"a","n":9007199254740993,"p":1.10,"s":"007","o":{"x":[1.10]},"b":true,"z":null,"state":"CA","run":${JSON.stringify(RUN)},"result":{"status":200}}\n`;
    expect((await save('columns', line)).code).toBe(0);
    const row = server.sql(
      `select n, p, s, o->'x', b, state, state_, result->>'status', ms, at from columns`,
    );
    expect(row).toBe('9007199254740993|1.10|007|[1.10]|t|SUCCESS|CA|200|5|2024-01-01 00:00:00+00');
  });

  test('keeps all pairs of types in a column, in both orders, for task-load', async () => {
    const lines = VALUES.flatMap((value, i) => [
      `{"uuid":"u${i}",${VALUES.map((_, k) => `"c${k}":${VALUES[(i + k) % VALUES.length]}`).join(',')}}`,
      `{"uuid":"v${i}","n":${value},"m":${VALUES.at(-1 - i)}}`,
    ]);
    const input = lines.map((line) => `${line}\n`).join('');
    const end = await save('pairs', input, `--flush 7 && task-load '${server.url}' --table pairs`);
    expect([end.code, end.stderr]).toEqual([0, expect.not.stringContaining('cannot hold')]);
    const back = new Map(
      end.stdout
        .trim()
        .split('\n')
        .map((line) => [JSON.parse(line).uuid, sorted(line)]),
    );
    for (const line of lines) expect(back.get(JSON.parse(line).uuid)).toBe(sorted(line));
  });

  test('keeps attributes of any name for task-load', async () => {
    const names = NAMES.filter((name) => name !== 'uuid');
    const lines = names.map((name, i) => `{"uuid":"n${i}",${JSON.stringify(name)}:${i},"x":"é\\n\\\\N\\t"}`);
    const end = await save('names', `${lines.join('\n')}\n`, `&& task-load '${server.url}' --table names`);
    const byUuid = new Map(
      end.stdout
        .trim()
        .split('\n')
        .map((line) => [JSON.parse(line).uuid, JSON.parse(line)]),
    );
    for (const line of lines) expect(byUuid.get(JSON.parse(line).uuid)).toEqual(JSON.parse(line));
  });

  test('keeps more attributes than a table has columns for', async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`name${i}`, `v${i}`.repeat(20)]));
    const line = JSON.stringify({ uuid: 'a', ...many });
    const end = await save('wide', `${line}\n`, `&& task-load '${server.url}' --table wide`);
    expect(JSON.parse(end.stdout)).toEqual(JSON.parse(line));
  });

  test('replaces an earlier row by a later record, but never a success by a failure', async () => {
    await save('later', bad('a') + good('b', { n: 1 }), '--all');
    await save('later', good('a') + bad('b', { n: 2 }) + good('c', { n: 1 }) + good('c', { n: 2 }), '--all');
    expect(server.sql('select uuid, state, n, error_code from later order by uuid')).toBe(
      'a|SUCCESS||\nb|SUCCESS|1|\nc|SUCCESS|2|',
    );
  });

  test('sends failures to the rest file, and removes them once they are saved', async () => {
    const cwd = freshFolder();
    expect((await save('rests', good('a') + bad('b'), '', cwd)).code).toBe(1);
    expect(readFileSync(restOf(cwd, 'rests'), 'utf8')).toContain('"b"');
    expect((await save('rests', good('b'), '', cwd)).code).toBe(0);
    expect(existsSync(restOf(cwd, 'rests'))).toBe(false);
  });

  test('keeps a rest file for each database, also if their tables have one name', async () => {
    const [cwd, other] = [freshFolder(), server.database('other')];
    await save('pages', bad('a'), '', cwd);
    await sh(`task-save '${other}' --table pages`, { cwd, input: good('a') + bad('b') });
    expect(readFileSync(restOf(cwd, 'pages'), 'utf8')).toContain('"uuid":"a"');
    expect(readFileSync(restOf(cwd, 'pages', 'other'), 'utf8')).toContain('"uuid":"b"');
  });

  test('saves the columns of --fields and keeps the other columns and values of a row', async () => {
    await save('chosen', good('a', { n: 1e300, m: 2, s: 1 }) + good('b', { n: 1, s: 't' }));
    await save(
      'chosen',
      good('a', { n: 'x', m: 4, result: { status: 200 } }),
      '--fields n,result.status,run.state',
    );
    expect(server.sql(`select n, m, "result.status", state, others from chosen where uuid = 'a'`)).toBe(
      '|2|200|SUCCESS|{ "n" : "x" }',
    );
  });

  test('saves whole records with --jsonb, and task-load reads them back', async () => {
    const line = good('a', { n: 1.5, o: { k: ['x'] } });
    expect((await save('docs', line + good('nul', { x: 'a\0' }), '--jsonb')).code).toBe(1);
    expect(server.sql(`select record->'o'->'k'->>0, record#>>'{run,state}' from docs`)).toBe('x|SUCCESS');
    const { stdout } = await sh(`task-load '${server.url}' --table docs`);
    expect(JSON.parse(stdout)).toEqual({ uuid: 'a', n: 1.5, o: { k: ['x'] } });
    await save('docs', bad('a'), '--jsonb --all');
    expect(server.sql(`select record#>>'{run,state}' from docs`)).toBe('SUCCESS');
    expect(await save('docs', line)).toMatchObject({ code: 2, stderr: expect.stringMatching(/say --jsonb/) });
  });

  test('lets several processes save different types for one column at once', async () => {
    const lines = (from: number, value: string): string =>
      Array.from({ length: 400 }, (_, i) => `{"uuid":"u${from + i}","x":${value}}\n`).join('');
    const values = ['{"k":1}', 'true', '"5"', '1.10'];
    const ends = await Promise.all(
      values.map((value, i) => save('shared', lines(i * 1000, value) + lines(0, '{"k":1}'), '--flush 20')),
    );
    expect(ends.map(({ code, stderr }) => [code, code === 0 ? '' : stderr])).toEqual(
      values.map(() => [0, '']),
    );
    const { stdout } = await sh(`task-load '${server.url}' --table shared`);
    const back = stdout.trim().split('\n');
    expect(back.length).toBe(1600);
    for (const line of back) {
      const { uuid } = JSON.parse(line);
      const value = values[Math.floor(Number(uuid.slice(1)) / 1000)];
      expect(line).toBe(`{"uuid":"${uuid}","x":${value}}`);
    }
  });

  test('emits a record with --tee once another session can read its row', async () => {
    const { stdout } = await save(
      'teed',
      good('a'),
      `--tee | while read -r x; do psql -XAtd '${server.url}' -c 'select uuid from teed'; done`,
    );
    expect(stdout).toBe('a\n');
  });
});

/** Returns uuid, code and reason of the records in a rest file, sorted. */
function refusals(cwd: string, table: string): readonly string[] {
  const lines = readFileSync(restOf(cwd, table), 'utf8').trim().split('\n');
  const texts = lines.map((line) => {
    const { uuid, run } = JSON.parse(line);
    return `${uuid} ${run.error.code} ${run.error.message}`;
  });
  return texts.sort();
}

describe('task-save to a table of another program', { timeout: 60_000 }, () => {
  test('gives each value to the type of its column, and uses defaults for what a record lacks', async () => {
    server.sql(`create table items (id serial, uuid uuid unique, n int, price numeric(8,2), seen timestamptz, tags text[],
      data jsonb, raw bytea, ok boolean, kind text not null default 'none')`);
    const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    const record = {
      ...{
        uuid,
        n: 5,
        price: '1.50',
        when: 'now',
        tags: ['a', 'b "c"'],
        data: { k: 1 },
        raw: 'AAH/',
        ok: true,
      },
    };
    const { code, stderr } = await save('items', `${JSON.stringify(record)}\n`);
    expect([code, stderr]).toEqual([0, 'task-save: saved 1\n']);
    expect(server.sql('select n, price, tags[2], data, raw, ok, kind, id, "when" from items')).toBe(
      '5|1.50|b "c"|{"k": 1}|\\x0001ff|t|none|1|now',
    );
    await save('items', `${JSON.stringify({ uuid, n: 6 })}\n`);
    expect(server.sql('select id, n, kind from items')).toBe('1|6|none');
  });

  test('sends rows that the table refuses to the rest file with the reason, and saves the others', async () => {
    server.sql('create table strict (uuid text primary key, n int not null check (n > 0), d date)');
    const cwd = freshFolder();
    const lines = [1, -1, 2, null, 3, '007', 4].map((n, i) =>
      JSON.stringify({ uuid: `u${i}`, n, d: '2024-01-01' }),
    );
    lines.push(JSON.stringify({ uuid: 'u8', n: 8, d: 'tomorrowish' }));
    const { code, stderr } = await save('strict', `${lines.join('\n')}\n`, '', cwd);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/saved 4, 4 that .* cannot hold/)]);
    expect(server.sql('select uuid from strict order by 1')).toBe('u0\nu2\nu4\nu6');
    const rest = readFileSync(restOf(cwd, 'strict'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const why = Object.fromEntries(
      rest.map(({ uuid, run }) => [uuid, `${run.error.code} ${run.error.message}`]),
    );
    expect(why).toEqual({
      u1: expect.stringMatching(/^CONSTRAINT .*violates check constraint/),
      u3: expect.stringMatching(/^CONSTRAINT .*null value in column "n"/),
      u5: expect.stringMatching(/^VALUE .*holds numbers, and the value is the text "007"/),
      u8: expect.stringMatching(/^CONSTRAINT .*invalid input syntax for type date/),
    });
  });

  test('sends rows that a trigger leaves out to the rest file', async () => {
    server.sql(`create table guarded (uuid text primary key, n int);
      create function skip() returns trigger language plpgsql as 'begin if new.n = 2 then return null; end if; return new; end';
      create trigger t before insert on guarded for each row execute function skip()`);
    const cwd = freshFolder();
    const { code } = await save(
      'guarded',
      `${good('a', { n: 1 }).replace(/,"run.*}/, '}')}{"uuid":"b","n":2}\n`,
      '',
      cwd,
    );
    expect(code).toBe(1);
    expect(readFileSync(restOf(cwd, 'guarded'), 'utf8')).toMatch(/"uuid":"b".*a trigger or rule/);
  });

  test('saves the other rows if limits, triggers or policies of the server refuse some', async () => {
    server.sql(`create table limited (uuid text primary key, k text unique, n int, tags text[], raw bytea);
      create function odd() returns trigger language plpgsql as
        $$ begin if new.n = 2 then raise exception 'no twos' using errcode = 'UX001'; end if; return new; end $$;
      create trigger t before insert on limited for each row execute function odd();
      create role ruled login; grant all on limited to ruled;
      alter table limited enable row level security;
      create policy p on limited using (true) with check (n <> 3)`);
    const wide = [...Array(3000).keys()]
      .map((i) => createHash('md5').update(`${i}`).digest('base64'))
      .join('');
    const values = [
      { n: 1 },
      { n: 2 },
      { n: 3 },
      { n: 4, k: wide },
      { tags: ['\ud800'] },
      { tags: {} },
      { raw: 5 },
    ];
    const lines = values.map((value, i) => JSON.stringify({ uuid: `u${i}`, n: 1, ...value }));
    const cwd = freshFolder();
    const url = `postgres://ruled@127.0.0.1:${server.port}/postgres`;
    const { code } = await sh(`task-save '${url}' --table limited`, { cwd, input: `${lines.join('\n')}\n` });
    expect([code, server.sql('select uuid from limited')]).toEqual([1, 'u0']);
    expect(refusals(cwd, 'limited')).toEqual([
      expect.stringMatching(/^u1 CONSTRAINT no twos; PL\/pgSQL function odd/),
      expect.stringMatching(/^u2 CONSTRAINT new row violates row-level security policy/),
      expect.stringMatching(/^u3 CONSTRAINT index row /),
      expect.stringMatching(/^u4 VALUE .*half of a surrogate pair/),
      expect.stringMatching(/^u5 VALUE .*the column "tags" holds arrays; got \{\}/),
      expect.stringMatching(/^u6 VALUE .*the column "raw" holds bytes, which a record has as base64; got 5/),
    ]);
  });

  test('does not take two uuids for one if the type of the column would', async () => {
    const uuid = 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11';
    for (const [type, one, other] of [
      ['uuid', uuid, uuid.toUpperCase()],
      ['int', '7', '007'],
      ['char(5)', 'a', 'a '],
    ]) {
      server.sql(`drop table if exists same; create table same (uuid ${type} primary key, n int)`);
      const cwd = freshFolder();
      for (const [n, id] of [one, other].entries())
        await save('same', `${JSON.stringify({ uuid: id, n })}\n`, '', cwd);
      expect(server.sql('select n from same')).toBe('0');
      expect(refusals(cwd, 'same')).toEqual([
        expect.stringMatching(new RegExp(`^${other} VALUE .*its column uuid has the type .*, which needs `)),
      ]);
    }
  });

  test('gives what a record lacks the default of its domain, or the next value of its identity', async () => {
    server.sql(`create domain five as int default 5 not null;
      create table lacking (uuid text primary key, id int generated by default as identity, d five)`);
    const lines = ['{"uuid":"a","id":7,"d":6}', '{"uuid":"b"}'];
    const { code, stderr } = await save('lacking', `${lines.join('\n')}\n`);
    expect([code, stderr]).toEqual([0, 'task-save: saved 2\n']);
    expect(server.sql('select * from lacking order by 1')).toBe('a|7|6\nb|1|5');
  });

  test('refuses a table without a unique uuid, a view, and columns of a run, with the command that helps', async () => {
    server.sql(
      'create table bare (a int); create table loose (uuid text); create view seen as select 1 as uuid',
    );
    server.sql('create table runs (uuid text primary key, state text)');
    const words = async (table: string) => (await save(table, good('a'))).stderr;
    expect(await words('bare')).toContain(
      'has no column uuid; add one with: ALTER TABLE "bare" ADD COLUMN uuid',
    );
    expect(await words('loose')).toContain('CREATE UNIQUE INDEX ON "loose" (uuid)');
    expect(await words('seen')).toContain('is a view');
    expect(await words('runs')).toContain('would use its column state');
  });

  test('finds a table of another schema, and one with a dot in its name', async () => {
    server.sql('create schema shop');
    expect((await save('shop.items', good('a'))).code).toBe(0);
    expect((await save(`'"dot.ted"'`, good('b'))).code).toBe(0);
    expect(server.sql('select uuid from shop.items union all select uuid from "dot.ted"')).toBe('a\nb');
    expect((await sh(`task-load '${server.url}?table=shop.items'`)).stdout).toBe('{"uuid":"a"}\n');
  });
});
