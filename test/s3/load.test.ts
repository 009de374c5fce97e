import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Relay, startRelay } from '../support/relay.ts';
import { type Ended, ended, freshFolder, has, sh, start } from '../support/run.ts';
import { hasSwift, needsS3, startS3, type TestS3 } from '../support/s3.ts';
import { until } from '../support/until.ts';

let server: TestS3;
beforeAll(async () => {
  if (!hasSwift) return;
  server = await startS3();
  await server.bucket('lists');
}, 60_000);
beforeEach(needsS3);

function load(words: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return sh(`task-load ${words}`, { env: server.env(env) });
}

const CSV = 'id,name\n1,a\n2,"b\n,"\n3,ä🙂\n';

describe('task-load from S3', { timeout: 60_000 }, () => {
  test.each<readonly [string, () => Promise<Buffer> | Buffer]>([
    ['list.csv', () => Buffer.from(CSV)],
    ['list.csv.gz', () => gzipSync(CSV)],
    ['list.csv.zst', async () => Buffer.from((await Zstd.load()).compress(Buffer.from(CSV)))],
    ['list.ndjson', () => Buffer.from('{"id":1.10}\n{"id":12345678901234567890}\n')],
    ['list.json', () => Buffer.from('[{"id": 1}, {"id": 2}]')],
    ['list', () => Buffer.from(CSV)],
    ['empty.ndjson', () => Buffer.alloc(0)],
  ])('reads %s as the same file on the disk', async (name, make) => {
    const [cwd, body] = [freshFolder(), await make()];
    writeFileSync(join(cwd, name), body);
    await server.put(`lists/${name}`, body);
    const file = await sh(`task-load ${name}`, { cwd });
    const object = await load(`s3://lists/${name}`);
    expect(object).toEqual({ ...file, stderr: file.stderr.replaceAll(name, `s3://lists/${name}`) });
  });

  test('takes a key as it is typed', async () => {
    const key = "b//%41 +?#&=ä'(*)!~@:$,;.csv";
    await server.put(`lists/${encodeURIComponent(key).replaceAll('%2F', '/')}`, 'id\n1\n');
    expect(await load(`"s3://lists/$KEY" --select id`, { KEY: key })).toMatchObject({
      stdout: expect.stringContaining('"id":"1"'),
      code: 0,
    });
  });

  test('reads the server, the region and the keys of a profile', async () => {
    const home = freshFolder();
    mkdirSync(join(home, '.aws'));
    const keys = 'aws_access_key_id = test:tester\naws_secret_access_key = testing\n';
    writeFileSync(join(home, '.aws/credentials'), `[work]\n${keys}`, { mode: 0o600 });
    const config = `[profile work]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:${server.port}\n`;
    writeFileSync(join(home, '.aws/config'), config);
    await server.put('lists/profile.csv', CSV);
    const end = await sh('task-load s3://lists/profile.csv', { env: { HOME: home, AWS_PROFILE: 'work' } });
    expect([end.code, end.stdout.split('\n').length]).toEqual([0, 4]);
    writeFileSync(join(home, '.aws/credentials'), `[work]\n${keys}`, { mode: 0o600 });
    await sh(`chmod 644 ${home}/.aws/credentials`);
    const open = await sh('task-load s3://lists/profile.csv', { env: { HOME: home, AWS_PROFILE: 'work' } });
    expect(open).toMatchObject({ code: 2, stderr: expect.stringContaining('chmod 600') });
  });

  test.each<readonly [string, string, Readonly<Record<string, string>>, number, RegExp]>([
    [
      'an object that is not there',
      's3://lists/no.csv',
      {},
      74,
      /s3:\/\/lists\/no\.csv: there is no such object; .*aws s3 ls s3:\/\/lists\/ /,
    ],
    [
      'a bucket that is not there',
      's3://nowhere/a.csv',
      {},
      74,
      /there is no bucket nowhere at http:.*aws s3 mb s3:\/\/nowhere/,
    ],
    [
      'a wrong secret key',
      's3://lists/list.csv',
      { AWS_SECRET_ACCESS_KEY: 'hush' },
      74,
      /secret key is wrong; check AWS_SECRET_ACCESS_KEY/,
    ],
    [
      'an unknown access key',
      's3://lists/list.csv',
      { AWS_ACCESS_KEY_ID: 'unknown' },
      74,
      /AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY/,
    ],
    [
      'a lack of rights',
      's3://lists/list.csv',
      { AWS_ACCESS_KEY_ID: 'test:guest', AWS_SECRET_ACCESS_KEY: 'visiting' },
      74,
      /access denied; these credentials need the right s3:GetObject for lists \(AccessDenied/,
    ],
    [
      'no credentials',
      's3://lists/list.csv',
      { AWS_ACCESS_KEY_ID: '', HOME: '/nowhere' },
      2,
      /S3 needs credentials/,
    ],
    [
      'a missing secret key',
      's3://lists/list.csv',
      { AWS_SECRET_ACCESS_KEY: '', HOME: '/nowhere' },
      2,
      /AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not/,
    ],
    [
      'an endpoint that is not a url',
      's3://lists/list.csv',
      { AWS_ENDPOINT_URL: 'localhost' },
      2,
      /AWS_ENDPOINT_URL must be a url/,
    ],
    [
      'no server',
      's3://lists/list.csv --patience 100ms',
      { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
      74,
      /nothing listens at http:\/\/127\.0\.0\.1:9/,
    ],
    ['a folder', 's3://lists/', {}, 2, /name one object/],
    ['a bucket that is not named', 's3:///a.csv', {}, 2, /an address in S3 is s3:\/\/BUCKET\/KEY/],
    [
      'a format that needs a file',
      's3://lists/a.xlsx',
      {},
      2,
      /copy it first: aws s3 cp s3:\/\/lists\/a\.xlsx/,
    ],
    [
      'a packed object of another kind',
      's3://lists/a.xz',
      {},
      65,
      /is an xz file; unpack it, as in: xz -dc FILE/,
    ],
  ])('says what to do about %s', async (_, words, env, code, message) => {
    await server.put('lists/list.csv', CSV);
    await server.put('lists/a.xz', Buffer.from('fd377a585a00', 'hex'));
    const end = await load(words, env);
    expect(end).toMatchObject({ code, stderr: expect.stringMatching(message), stdout: '' });
    expect(end.stderr).not.toMatch(/hush|testing|visiting/);
  });

  test('tells a clock that is wrong', async (context) => {
    if (!(await has('faketime'))) context.skip('faketime is not installed');
    await server.put('lists/list.csv', CSV);
    const end = await sh("faketime -f '+2h' task-load s3://lists/list.csv", { env: server.env() });
    expect(end).toMatchObject({ code: 74, stderr: expect.stringMatching(/clock of this machine differs/) });
  });

  test('checks all objects before it reads the first', async () => {
    await server.put('lists/list.csv', CSV);
    await server.put('lists/empty.csv', '');
    expect(await load('s3://lists/list.csv s3://lists/empty.csv s3://lists/no.csv')).toMatchObject({
      code: 74,
      stdout: '',
      stderr: expect.stringContaining('s3://lists/no.csv'),
    });
    expect((await load('s3://lists/list.csv s3://lists/empty.csv')).code).toBe(0);
  });

  test('waits while the server answers 503', async () => {
    await server.put('lists/busy.csv', CSV);
    server.unmount(true);
    const child = start('task-load s3://lists/busy.csv', { env: server.env() });
    const end = ended(child);
    child.stderr?.on('data', (text: string) => text.includes('trying again') && server.unmount(false));
    expect(await end).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/HTTP 503|ServiceUnavailable|InternalError/),
    });
  });
});

/** Number of rows of a list that does not fit into the buffers between a server and a reader that does not read. */
const ROWS = 400_000;
const rowsOf = (version: string): string =>
  `id,text\n${Array.from({ length: ROWS }, (_, i) => `${i},${version}${'x'.repeat(40)}\n`).join('')}`;

/** Load whose output is not read until `rest` is called. */
interface HeldLoad {
  /** Reads the output to its end. */
  rest(): Promise<Ended>;
  /** Returns what came on stderr. */
  told(): string;
}

/** Starts to load the long list by a relay. Resolves when the first tasks came. */
async function hold(relay: Relay, name: string): Promise<HeldLoad> {
  await server.put(`lists/${name}`, rowsOf('old'));
  const child = start(`task-load s3://lists/${name}`, {
    env: server.env({ AWS_ENDPOINT_URL: `http://127.0.0.1:${relay.port}` }),
  });
  let [out, told] = ['', ''];
  child.stdout?.setEncoding('utf8');
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  await new Promise<void>((resolve) => {
    child.stdout?.once('data', (text: string) => {
      out += text;
      child.stdout?.pause();
      resolve();
    });
  });
  return {
    async rest() {
      const end = ended(child);
      child.stdout?.resume();
      return { ...(await end), stdout: out + (await end).stdout, stderr: told };
    },
    told: () => told,
  };
}

async function relayed(): Promise<Relay> {
  const relay = await startRelay(() => server.port);
  onTestFinished(() => relay.close());
  return relay;
}

describe('task-load from a server of S3 that fails', { timeout: 60_000 }, () => {
  test('goes on behind the last byte after the connection broke, also while the server was away', async () => {
    const relay = await relayed();
    const load = await hold(relay, 'long.csv');
    relay.set('cut');
    await server.kill();
    const end = load.rest();
    await until(() => load.told().includes('trying again for 60 s'));
    await server.start();
    relay.set('open');
    const { stdout, stderr, code } = await end;
    const ids = [...stdout.matchAll(/"id":"(\d+)","text":"oldx{40}"\}\n/g)].map(([, id]) => Number(id));
    expect([code, ids.length, ids.every((id, i) => id === i)], stderr).toEqual([0, ROWS, true]);
    expect(stderr).toContain('s3://lists: the server is back');
  });

  test.each(['replaced', 'removed'])('ends if the object was %s while it was read', async (how) => {
    const relay = await relayed();
    const load = await hold(relay, `${how}.csv`);
    relay.set('cut');
    if (how === 'replaced') await server.put(`lists/${how}.csv`, rowsOf('new'));
    else await server.remove(`lists/${how}.csv`);
    relay.set('open');
    const { stdout, stderr, code } = await load.rest();
    expect([code, stderr]).toEqual([74, expect.stringContaining(`the object was ${how} while it was read`)]);
    expect(stdout).not.toContain('new');
  });
});
