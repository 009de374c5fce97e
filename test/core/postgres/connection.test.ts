/* Connections to PostgreSQL: sources of passwords, TLS, and the messages about a failed connection. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { postgresAddress } from '../../../src/core/postgres/postgres-address.ts';
import { openPostgres } from '../../../src/core/postgres/postgres-link.ts';
import { makeCertificates, needsOpenssl } from '../../support/openssl.ts';
import { freePort } from '../../support/port.ts';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { freshFolder, sh } from '../../support/run.ts';

let server: TestPostgres;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);
beforeEach(needsPostgres);

type Env = Readonly<Record<string, string>>;

/** Returns the message of a command about a database, or `fine`. */
async function said(url: string, env: Env = {}, patience = '20s'): Promise<string> {
  const { code, stderr } = await sh(`task-done count '${url}' --patience ${patience}`, { env });
  return code === 0 ? 'fine' : `${code} ${stderr.trim()}`;
}

test('a password comes from the url, a file, PGPASSWORD, PGPASSFILE or a service, and is never shown', async () => {
  server.sql("create role app login password 'sesam-5'");
  server.sql('create database app owner app');
  writeFileSync(
    join(server.folder, 'data/pg_hba.conf'),
    'host all app 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\nlocal all all trust\n',
  );
  server.sql('select pg_reload_conf()');
  const folder = freshFolder();
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const at = `127.0.0.1:${server.port}/app?ledger=l`;
  const url = `postgres://app@${at}`;
  expect(await said(`postgres://app:sesam-5@${at}`)).toBe('fine');
  expect(await said(`${url}&password-file=${file('word', 'sesam-5\n')}`)).toBe('fine');
  expect(await said(url, { PGPASSWORD: 'sesam-5' })).toBe('fine');
  expect(
    await said(`postgres:///?ledger=l`, {
      PGHOST: '127.0.0.1',
      PGPORT: `${server.port}`,
      PGUSER: 'app',
      PGPASSWORD: 'sesam-5',
      PGDATABASE: 'app',
    }),
  ).toBe('fine');
  const pass = file('pass', `# comment\nother:*:*:*:no\n127.0.0.1:*:app:app:sesam-5\n`);
  expect(await said(url, { PGPASSFILE: pass })).toBe('fine');
  chmodSync(pass, 0o644);
  expect(await said(url, { PGPASSFILE: pass })).toMatch(
    /is ignored, because others may read it; type: chmod 600/,
  );
  const service = file(
    'services',
    `[shop]\nhost=127.0.0.1\nport=${server.port}\nuser=app\npassword=sesam-5\ndbname=app\n`,
  );
  expect(await said('postgres://?service=shop&ledger=l', { PGSERVICEFILE: service })).toBe('fine');
  expect(await said('postgres://?service=nix&ledger=l', { PGSERVICEFILE: service })).toMatch(
    /^2 .*service "nix".* add a section \[nix\]/,
  );
  expect(await said(url)).toMatch(/^74 .*the server wants a password; set PGPASSWORD or PGPASSFILE/s);
  const wrong = await said(`postgres://app:s3cret@${at}`);
  expect(wrong).toMatch(/^74 .*the login of app failed/s);
  const save = await sh(`task-save 'postgres://app:s3cret@${at.replace('?ledger=l', '')}' --patience 20s`, {
    input: '{"uuid":"a"}\n',
  });
  const load = await sh(`task-load 'postgres://app:s3cret@${at.replace('?ledger=l', '')}' --patience 20s`);
  expect([save.code, load.code, wrong + save.stderr + load.stderr]).toEqual([
    74,
    74,
    expect.not.stringContaining('s3cret'),
  ]);
}, 60_000);

test('the hint after a save shows the table as a ledger, without the password', async () => {
  const env = { PGPASSWORD: 'x' };
  const failed = '{"uuid":"a","run":{"state":"FAILURE","as":"result","attempts":1}}\n';
  const { stderr } = await sh(
    `task-save 'postgres://postgres:hidden@127.0.0.1:${server.port}/postgres' --table h`,
    { env, input: failed },
  );
  expect(stderr).toContain(`task-load postgres+127.0.0.1+${server.port}+postgres+h.rest.ndjson`);
  expect(stderr).not.toContain('hidden');
}, 60_000);

test('TLS checks what sslmode requires, and a certificate that does not fit is named with the remedy', async (context) => {
  await needsOpenssl(context);
  const at = await makeCertificates();
  const files = ['server.pem', 'server.key'].map((name) => join(server.folder, name));
  await sh(
    `cp ${at('server.pem')} ${at('server.key')} ${server.folder} && chmod 600 ${files[1]} && (chown postgres ${files.join(' ')} || true)`,
  );
  server.sql(`alter system set ssl_cert_file = '${files[0]}'`);
  server.sql(`alter system set ssl_key_file = '${files[1]}'`);
  expect(
    await said(`postgres://postgres@127.0.0.1:${server.port}/postgres?ledger=l&sslmode=require`),
  ).toMatch(/^74 .*the server does not speak TLS; say sslmode=disable/s);
  server.sql('alter system set ssl = on');
  server.sql('select pg_reload_conf()');
  const url = (more: string, host = '127.0.0.1') =>
    `postgres://postgres@${host}:${server.port}/postgres?ledger=l&${more}`;
  const ca = `sslrootcert=${at('ca.pem')}`;
  const modes = ['disable', 'prefer', 'require'].map((mode) => said(url(`sslmode=${mode}`)));
  expect(await Promise.all(modes)).toEqual(['fine', 'fine', 'fine']);
  expect(await said(url(`sslmode=verify-full&${ca}`))).toBe('fine');
  expect(await said(url('sslmode=verify-full'))).toMatch(
    /^74 .*is not trusted .* name its authority with sslrootcert=FILE/s,
  );
  expect(await said(url(`sslmode=verify-ca&sslrootcert=${at('stranger.pem')}`))).toMatch(
    /^74 .*is not trusted/s,
  );
  expect(await said(url(`sslmode=full`))).toMatch(/^2 .*sslmode is one of disable, allow, prefer/);
  expect(await said(url(`sslmode=verify-full&sslrootcert=/nix`))).toMatch(
    /^74 .*cannot read sslrootcert \/nix/,
  );
}, 60_000);

test('a missing server, database, permission or parameter is named with what to type', async () => {
  const port = await freePort();
  expect(await said(`postgres://127.0.0.1:${port}/x?ledger=l`, {}, '1s')).toMatch(
    /74 .*127\.0\.0\.1:\d+\/x\?ledger=l: nothing listens at 127\.0\.0\.1, port \d+; does PostgreSQL run there\?/,
  );
  expect(await said(`postgres://nix.invalid/x?ledger=l`)).toMatch(/^74 .*no such host nix\.invalid/);
  expect(
    await said(
      `${server.url.replace('/postgres', '/nix').replace('postgres://nix', 'postgres://postgres')}`.replace(
        /\/[^/]*$/,
        '/nix?ledger=l',
      ),
    ),
  ).toMatch(/^74 .*database "nix" does not exist; make it with: createdb nix/);
  expect(await said(`${server.url}?legder=l`)).toMatch(
    /^2 .*after the \? may stand ledger, table, .*got "legder"/,
  );
  expect(await said(`${server.url}#l`)).toMatch(/^2 .*a ledger is named by \?ledger=NAME/);
  server.sql('create role guest login; create table secret (uuid text primary key)');
  const { code, stderr } = await sh(
    `task-save 'postgres://guest@127.0.0.1:${server.port}/postgres' --table secret`,
    { input: '{"uuid":"a"}\n' },
  );
  expect([code, stderr]).toEqual([74, expect.stringMatching(/permission denied for table secret; .*GRANT/)]);
}, 60_000);

test('a command waits for a read-only server, and then names it as a copy', async () => {
  const { code, stderr } = await sh(
    `PGOPTIONS= psql -Xqd '${server.url}' -c 'alter database postgres set default_transaction_read_only = on' && task-save '${server.url}' --patience 1s`,
    { input: '{"uuid":"a"}\n' },
  );
  server.sql(
    'set default_transaction_read_only = off; alter database postgres reset default_transaction_read_only',
    'template1',
  );
  expect([code, stderr]).toEqual([74, expect.stringMatching(/the database is read-only .*Give its primary/)]);
}, 60_000);

test('a connection to a former primary, which only reads, is replaced during the wait for the server', async () => {
  const url = server.database('moved');
  server.sql('alter database moved set default_transaction_read_only = on');
  const warned: string[] = [];
  // The connection keeps the setting, like the connection to the old primary of a failover.
  const warn = (words: string): void => {
    if (warned.push(words) === 1) server.sql('alter database moved reset default_transaction_read_only');
  };
  const link = openPostgres(postgresAddress(url), { warn });
  await link.run((session) => session.exec('create table kept (a int)'));
  await link.close();
  expect(warned).toEqual([
    expect.stringMatching(/is read-only .*trying again/),
    expect.stringMatching(/ is back$/),
  ]);
}, 60_000);

test('time limits of a role do not end a session, but those of PGOPTIONS do', async () => {
  server.sql('create role hurried login');
  for (const name of ['statement_timeout', 'idle_in_transaction_session_timeout'])
    server.sql(`alter role hurried set ${name} = '1min'`);
  const read = async (env: Env): Promise<string> => {
    const query =
      "select current_setting('statement_timeout') || ' ' || current_setting('idle_in_transaction_session_timeout') as t";
    const url = `postgres://hurried@127.0.0.1:${server.port}/postgres`;
    return JSON.parse((await sh(`task-load '${url}' --query "${query}"`, { env })).stdout).t;
  };
  expect(await read({})).toBe('0 0');
  expect(await read({ PGOPTIONS: '-c statement_timeout=7s' })).toBe('7s 0');
}, 60_000);

test('a statement may take longer than --patience while the server works on it', async () => {
  const holder = openPostgres(postgresAddress(server.url));
  await holder.run((session) => session.rows('select pg_advisory_lock(7)'));
  const warned: string[] = [];
  let unlocked: Promise<unknown> | undefined;
  const warn = (words: string): void => {
    warned.push(words);
    unlocked ??= holder.run((session) => session.rows('select pg_advisory_unlock(7)'));
  };
  const link = openPostgres(postgresAddress(server.url), { patience: 3000, warn });
  const rows = await link.run((session) => session.rows('select pg_advisory_lock(7)'));
  await unlocked;
  await Promise.all([link.close(), holder.close()]);
  expect([rows.length, warned]).toEqual([
    1,
    [expect.stringMatching(/ has worked on a statement for \d+ s; still waiting for its answer$/)],
  ]);
}, 60_000);

test('long rows are read few at a time', async () => {
  const link = openPostgres(postgresAddress(server.url));
  const sizes: number[] = [];
  const queryFor = async (): Promise<string> => "select repeat('x', 1000000) from generate_series(1, 20)";
  for await (const rows of link.read(queryFor, 500)) sizes.push(rows.length);
  await link.close();
  expect(sizes).toEqual([10, 4, 4, 2]);
}, 60_000);
