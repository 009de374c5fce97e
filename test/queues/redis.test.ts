/* Finding a Redis server, and rejecting unsuitable ones. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { messageOf } from '../../src/core/base/errors.ts';
import { openQueues, type QueueSettings } from '../../src/queues/index.ts';
import * as certificates from '../support/certificates.ts';
import { freePort } from '../support/port.ts';
import { ask, needsRedis, startRedis } from '../support/redis.ts';
import { ended, freshFolder, sh, start } from '../support/run.ts';

beforeEach(needsRedis);

const settings: QueueSettings = { env: {}, patience: 300 };

/** Returns the error of a server, or `fine`. */
async function told(url: string, more: Partial<QueueSettings> = {}): Promise<string> {
  try {
    const queues = await openQueues(url, ['q'], { ...settings, ...more });
    try {
      await queues.all[0]?.size();
    } finally {
      queues.close();
    }
    return 'fine';
  } catch (error) {
    return messageOf(error);
  }
}

test('an unreachable Redis is reported at once, retried, and ends with 74, without showing the password', async () => {
  const { code, stderr } = await sh(
    'task-queue size redis://user:hidden@127.0.0.1:1/0 --name q --patience 400ms',
  );
  expect([code, stderr]).toEqual([
    74,
    'task-queue: cannot reach redis://127.0.0.1:1/0: connection refused; is Redis running there?; trying for 0.4 s\n' +
      'task-queue: redis://127.0.0.1:1/0: connection refused; is Redis running there?\n',
  ]);
});

test('a proxy that accepts connections while its Redis is down is named as a possible cause', async () => {
  const relay = createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  expect(await told(`redis://127.0.0.1:${port}/0`)).toMatch(
    /the connection was closed; is it a proxy whose Redis is down, or is rediss:\/\/ meant\?$/,
  );
  relay.close();
});

test('a push whose Redis freezes while it works ends with 74 within --patience, although its input continues', async () => {
  const redis = await startRedis();
  const push = start(`exec task-queue push ${redis.url} --name q --patience 1s`);
  const end = ended(push);
  push.stdin?.on('error', () => {}); // it ends while we write
  push.stdin?.write('{"uuid":"a"}\n');
  while ((await ask(redis.port, 'exists bull:q:=a')) !== '1');
  redis.freeze(true);
  push.stdin?.write('{"uuid":"b"}\n');
  const { code, stderr } = await end;
  redis.freeze(false);
  expect([code, stderr]).toEqual([74, expect.stringMatching(/went away; .* 1 s\n.*no answer; .*\n$/s)]);
});

test('the password comes from the url, a file or the environment, and a wrong one fails without a wait', async () => {
  const redis = await startRedis('--requirepass', 'pass word');
  const file = join(freshFolder(), 'password');
  writeFileSync(file, 'pass word\n');
  const { url } = redis;
  expect(await told(url.replace('//', '//:pass%20word@'))).toBe('fine');
  expect(await told(url, { passwordFile: file })).toBe('fine');
  expect(await told(`${url}?password-file=${file}`)).toBe('fine');
  expect(await told(url, { env: { TASK_REDIS_PASSWORD: 'pass word' } })).toBe('fine');
  const began = Date.now();
  expect(await told(url, { patience: 60_000 })).toMatch(/a password is needed/);
  expect(await told(url, { env: { TASK_REDIS_PASSWORD: 'guess' }, patience: 60_000 })).toMatch(
    /wrong user or password/,
  );
  expect(Date.now() - began).toBeLessThan(20_000);
  const marked = await sh(`task-done mark '${url}#l' a && task-done count '${url}#l'`, {
    env: { TASK_REDIS_PASSWORD: 'pass word' },
  });
  expect(marked).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
});

test('a user of an ACL connects over TLS, and a user without permission gets an error', async () => {
  const folder = freshFolder();
  const files = { key: certificates.KEY, cert: certificates.GOOD, ca: certificates.AUTHORITY };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const at = (name: string): string => join(folder, name);
  const acl = at('users.acl');
  writeFileSync(
    acl,
    'user default off\nuser worker on >pw ~* &* +@all\nuser guest on >pw ~other:* +@read +info\n',
  );
  const tls = ['--tls-cert-file', at('cert'), '--tls-key-file', at('key'), '--tls-ca-cert-file', at('ca')];
  const port = await freePort();
  await startRedis(
    ...['--port', '0', '--aclfile', acl, '--tls-auth-clients', 'no', ...tls],
    ...['--tls-port', String(port)],
  );
  const host = `127.0.0.1:${port}`;
  expect(await told(`rediss://worker:pw@${host}/0?ca=${at('ca')}`)).toBe('fine');
  expect(await told(`rediss://worker:pw@${host}/0`)).toMatch(/certificate is not trusted; .*\?ca=FILE/);
  expect(await told(`rediss://guest:pw@${host}/0?ca=${at('ca')}`)).toMatch(
    /the user "guest" may not use the key bull:q:wait/,
  );
  expect(await told(`redis://worker:pw@${host}/0`, { patience: 10_000 })).toMatch(
    /it speaks TLS; use rediss:/,
  );
});

test('a Redis without persistence is rejected, unless --volatile is given', async () => {
  const redis = await startRedis('--appendonly', 'no');
  expect(await told(redis.url)).toMatch(/forgets tasks when it stops: set "appendonly yes"/);
  expect(await told(redis.url, { volatile: true })).toBe('fine');
  expect(await told(`${redis.url}?volatile`)).toBe('fine');
  const { code } = await sh(`task-queue size ${redis.url} --name q`);
  expect(code).toBe(2);
});

test('a Redis that evicts keys when it is full is rejected', async () => {
  const redis = await startRedis('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru');
  expect(await told(redis.url)).toMatch(/maxmemory-policy allkeys-lru\): set "maxmemory-policy noeviction"/);
});

test('a full Redis that evicts nothing reports that it is full', async () => {
  const redis = await startRedis('--maxmemory', '3mb', '--maxmemory-policy', 'noeviction');
  const input = Array.from(
    { length: 3000 },
    (_, i) => `{"uuid":"t${i}","text":"${'x'.repeat(2000)}"}\n`,
  ).join('');
  const { code, stderr } = await sh(`task-queue push ${redis.url} --name q`, { input });
  expect([code, stderr]).toEqual([74, expect.stringMatching(/its memory is (?:nearly )?full \(/)]);
});

test('a read-only replica names its primary', async () => {
  const primary = await startRedis();
  const copy = await startRedis('--replicaof', `127.0.0.1 ${primary.port}`);
  expect(await told(copy.url)).toBe(
    `${copy.url} is a read-only copy; give its primary, 127.0.0.1:${primary.port}`,
  );
});

test('a database that does not exist, or a server without a place for a client, is an error', async () => {
  const redis = await startRedis();
  expect(await told(redis.url.replace(/0$/, '99'))).toMatch(/it has no such database .*; use \/0$/);
  const other = new Redis({ port: redis.port, host: '127.0.0.1' });
  await other.config('SET', 'maxclients', '1');
  expect(await told(redis.url, { patience: 2000 })).toMatch(
    /it has as many clients as it may \(maxclients\)$/,
  );
  other.disconnect();
});

test('an invalid url is rejected with the expected form, without showing a possible password', async () => {
  expect(await told('redis:/x')).toMatch(/a queue is a url such as redis:\/\/HOST:PORT\/DB/);
  expect(await told('redis://h/crawl')).toMatch(/the database is a number/);
  expect(await told('redis://h/0?tls=1')).toMatch(/may stand password-file, volatile; got "tls"/);
  expect(await told('redis://:secret@h:99999999/0')).not.toMatch(/secret/);
});

test('--config reads the keys of server.json, as JSON or as lines', async () => {
  const redis = await startRedis();
  const cwd = freshFolder();
  writeFileSync(
    join(cwd, 'server.json'),
    JSON.stringify({ backend: 'redis', ip: '127.0.0.1', port: redis.port }),
  );
  writeFileSync(join(cwd, 'server.conf'), `# ours\nbackend=redis\nip = 127.0.0.1\nport=${redis.port}\n`);
  for (const file of ['server.json', 'server.conf']) {
    const { stdout, code } = await sh(`task-queue size --config ${file} --name q`, { cwd });
    expect([JSON.parse(stdout).waiting, code]).toEqual([0, 0]);
  }
});

test('a wrong command is rejected with the words to type', async () => {
  const said = async (command: string): Promise<string> => {
    const { code, stderr } = await sh(`task-queue ${command}`);
    expect(code).toBe(2);
    return stderr.replace(/^task-queue: /, '').trim();
  };
  expect(await said('psuh redis://h/0 --name q')).toBe('unknown verb "psuh"; did you mean push?');
  expect(await said('size --name q')).toMatch(/^give the url after the verb, as in task-queue size redis:/);
  expect(await said('size redis://h/0')).toMatch(/^name the queue with --name/);
  expect(await said('size redis://h/0 --name a:b')).toMatch(/^--name must be a name .*; got "a:b"$/);
  expect(await said('size redis://h/0 --name a --name a')).toMatch(/^--name must name each queue once/);
  expect(await said('push redis://h/0 x --name q')).toMatch(/^push takes a url and no uuids; got "x"$/);
  expect(await said('clear redis://h/0 --name q')).toMatch(/add --yes$/);
  expect(await said('size redis://h/0 --name q --json')).toBe(
    '--json is an option of watch; it does nothing with size',
  );
});
