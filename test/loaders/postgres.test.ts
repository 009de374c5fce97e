import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { freshFolder, sh } from '../support/run.ts';
import { until } from '../support/until.ts';

let server: TestPostgres;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);
beforeEach(needsPostgres);

const load = (options: string) => sh(`task-load '${server.url}' ${options}`);

/** SQL of a value, with the JSON that a task has for it. */
const TYPES: Readonly<Record<string, string>> = {
  '9223372036854775807::bigint': '9223372036854775807',
  '1.10::numeric': '1.10',
  '12345678901234567890.123456789::numeric': '12345678901234567890.123456789',
  "'NaN'::numeric": '"NaN"',
  "'-Infinity'::float8": '"-Infinity"',
  '1e20::float8': '1e+20',
  '0.1::float4': '0.1',
  true: 'true',
  "'2024-01-02 03:04:05.123456+02'::timestamptz": '"2024-01-02T01:04:05.123456Z"',
  "'2024-01-02 03:04:05'::timestamp": '"2024-01-02T03:04:05"',
  "'infinity'::timestamptz": '"infinity"',
  "'0044-03-15 BC'::date": '"0044-03-15 BC"',
  "'2024-03-31'::date": '"2024-03-31"',
  "'1 day 2 hours'::interval": '"P1DT2H"',
  '\'{"a": 1.10, "a": [2]}\'::json': '{"a":1.10,"a":[2]}',
  '\'{"b": "x", "a": null}\'::jsonb': '{"a":null,"b":"x"}',
  "'null'::json": 'null',
  "'\\x0001ff'::bytea": '"AAH/"',
  "''::bytea": '""',
  "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid": '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"',
  "'{1,2,NULL}'::int[]": '[1,2,null]',
  "array['a b', 'd\"e', 'NULL']": '["a b","d\\"e","NULL"]',
  "'{{1,2},{3,4}}'::numeric[]": '[[1,2],[3,4]]',
  "array['\\x01'::bytea]": '["AQ=="]',
  "array['2024-01-02 00:00+00'::timestamptz]": '["2024-01-02T00:00:00Z"]',
  "'[1,5)'::int4range": '"[1,5)"',
  "'10.0.0.1'::inet": '"10.0.0.1"',
  "'a'::char(3)": '"a  "',
  "''::text": '""',
  "E'tab\\t, \\\\N, é🙂'": '"tab\\t, \\\\N, é🙂"',
  "'NULL'::text": '"NULL"',
};

test('task-load converts each type of PostgreSQL as documented, and NULL to no attribute', async () => {
  const columns = Object.keys(TYPES).map((sql, i) => `${sql} as c${i}`);
  const { stdout, stderr } = await load(
    `--query "$(cat <<'SQL'\nselect ${columns.join(', ')}, null::int as absent\nSQL\n)"`,
  );
  const members = Object.values(TYPES).map((json, i) => `"c${i}":${json}`);
  expect([stdout.replace(/"uuid":"[^"]*",/, ''), stderr]).toEqual([
    `{${members.join(',')}}\n`,
    'task-load: 1 task\n',
  ]);
}, 60_000);

test('task-load gives a row the uuid that the same record has in a file', async () => {
  server.sql(
    "create table same (id int, url text, price numeric); insert into same values (1, 'http://a/1', 1.10)",
  );
  const { stdout } = await load('--table same');
  const file = await sh('task-load --format ndjson', { input: '{"id":1,"url":"http://a/1","price":1.10}\n' });
  expect(stdout).toBe(file.stdout);
  const made = await load('--table same --uuid-fields url --select url --rename price=cost --require cost');
  expect(JSON.parse(made.stdout)).toEqual({ uuid: expect.any(String), url: 'http://a/1' });
}, 60_000);

test('task-load runs failed tasks again, in the order of the query', async () => {
  const failed = (uuid: string, n: number) =>
    `{"uuid":"${uuid}","n":${n},"run":{"state":"FAILURE","as":"result","attempts":1,"at":"2024-01-01T00:00:00.000Z","ms":1}}\n`;
  await sh(`task-save '${server.url}' --table retry --all`, {
    input: failed('a', 1) + failed('b', 2) + failed('c', 3),
  });
  const { stdout } = await load(
    `--query "select * from retry where state = 'FAILURE' and n > 1 order by n desc;"`,
  );
  expect(stdout).toBe('{"uuid":"c","n":3}\n{"uuid":"b","n":2}\n');
}, 60_000);

test('task-load passes rows on while the query still runs', async () => {
  const query = `"select i, repeat('x', 200) as text from generate_series(1, 1000000) i"`;
  const first = await sh(`timeout 30 task-load '${server.url}' --query ${query} --limit 3 --quiet`);
  expect(first.stdout.trim().split('\n').length).toBe(3);
}, 120_000);

test('task-load never writes, and names the fault in the SQL, the table or the columns', async () => {
  server.sql("create table kept (uuid text, result text); insert into kept values ('a', 'r')");
  const said = async (options: string) => {
    const { code, stderr } = await load(options);
    return `${code} ${stderr.replace(/^task-load: /, '').trim()}`;
  };
  expect(await said(`--query 'delete from kept'`)).toMatch(/^2 --query must be one SELECT/);
  expect(await said(`--query "with d as (delete from kept returning *) select * from d"`)).toMatch(
    /^2 --query: postgres:\S+: /,
  );
  expect(await said(`--query "select setval('s', 1) from (select nextval('s')) x"`)).toMatch(
    /^2 .*relation "s" does not exist/,
  );
  server.sql('create sequence numbers');
  expect(await said(`--query "select nextval('numbers') as n"`)).toMatch(
    /^2 postgres:\S+: it may only be read \(cannot execute nextval\(\).*; the statement is select nextval/,
  );
  expect(await said(`--query 'select * from kept for update'`)).toMatch(/^2 .* may only be read /);
  expect(await said(`--query 'select 1 as a, 2 as a'`)).toMatch(/^2 --query returns two columns named a/);
  expect(await said('--table nix')).toMatch(/^2 postgres:\S+ has no table nix: it has .*kept/);
  expect(await said('--table kept')).toMatch(
    /^2 a column named result is not read.*--rename result=old_result/,
  );
  expect(server.sql('select count(*) from kept')).toBe('1');
}, 60_000);

test('task-load ends if the server does not answer any more while it reads', async () => {
  const query = `"select i, repeat('x', 2000) as text from generate_series(1, 100000) i"`;
  const load = `task-load '${server.url}' --query ${query} --patience 3s`;
  const frozen = freshFolder();
  // The reader takes the rest of the pipe only once the server is frozen.
  const ended = sh(
    `${load} | { head -c 1000; touch begun; while ! [ -e frozen ]; do sleep 0.01; done; wc -l; }`,
    {
      cwd: frozen,
    },
  );
  await until(() => existsSync(join(frozen, 'begun')));
  server.freeze(true);
  writeFileSync(join(frozen, 'frozen'), '');
  const { stderr } = await ended;
  server.freeze(false);
  expect(stderr).toMatch(/^task-load: postgres:\S+: no answer from 127\.0\.0\.1, port \d+\n/);
}, 60_000);

test('a stop of task-load does not wait for the answer of a query', async () => {
  const url = server.database('slow');
  const folder = freshFolder();
  const stop = `until psql -XAtd '${url}' -c "select query from pg_stat_activity where state = 'active'" | grep -q fetch; do :; done; kill -INT $!; wait $!`;
  const { code, stderr } = await sh(`task-load '${url}' --query 'select 1 from pg_sleep(1000)' & ${stop}`, {
    cwd: folder,
  });
  expect([code, stderr]).toEqual([130, 'task-load: stopped after 0 tasks\n']);
}, 60_000);
