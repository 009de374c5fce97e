/* Finding a NATS server, and what it cannot do. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { messageOf } from '../../../src/core/base/errors.ts';
import { callApi, publish } from '../../../src/core/nats/jetstream.ts';
import { natsAddress } from '../../../src/core/nats/nats-address.ts';
import { openNats } from '../../../src/core/nats/nats-link.ts';
import { openQueues, type QueueSettings } from '../../../src/queues/index.ts';
import { AUTHORITY, GOOD, KEY } from '../../support/certificates.ts';
import { needsNats, startNats, type TestNats } from '../../support/nats.ts';
import { ended, freshFolder, has, sh, start } from '../../support/run.ts';

let nats: TestNats;
beforeAll(async () => {
  if (await has('nats-server')) nats = await startNats();
});
beforeEach(needsNats);

const settings: QueueSettings = { env: {}, patience: 20_000 };

/** Returns the error of a server, or `fine`. */
async function told(url: string, more: Partial<QueueSettings> = {}): Promise<string> {
  try {
    const queues = await openQueues(url, ['q'], { ...settings, ...more });
    await queues.all[0]?.size().finally(() => queues.close());
    return 'fine';
  } catch (error) {
    return messageOf(error);
  }
}

test('what NATS cannot do is refused with 2 and the reason, and nothing is pushed', async () => {
  const at = `${nats.url} --name refused --quiet`;
  const refused = async (command: string): Promise<string> => {
    const { code, stderr } = await sh(command, { input: '{"uuid":"a"}\n' });
    expect(code).toBe(2);
    return stderr;
  };
  expect(await refused(`task-queue push ${at} --priority 3`)).toBe(
    'task-queue: NATS has no priorities; use a queue in Redis or PostgreSQL for push --priority\n',
  );
  expect(await refused(`task-queue push ${at} --front`)).toMatch(/NATS delivers tasks in the order in which/);
  expect(await refused(`task-queue push ${at} --delay 5m`)).toMatch(/NATS 2\.9 cannot keep a task back/);
  expect(await refused(`task-queue front ${at} a`)).toMatch(/cannot move one to the front/);
  const shared = `--queue ${nats.url} --shared --host-rate 5/s`;
  expect(await refused(`task-exec --http ${shared}`)).toMatch(/so --shared needs Redis or PostgreSQL/);
  expect(await refused(`task-load - --ledger '${nats.url}#q'`)).toMatch(/a ledger is a JSONL file/);
  const { stdout } = await sh(`task-queue size ${at} | jq .waiting`);
  expect(stdout).toBe('0\n');
});

test('a task that is added once more while it is in the queue is refused', async () => {
  const queues = await openQueues(nats.url, ['again'], { env: {} });
  const push = queues.all[0]?.push([], { again: true, repeat: true });
  await expect(push).rejects.toThrow(/cannot add a task once more while it is in the queue/);
  queues.close();
});

test('an unreachable server is reported at once, retried, and ends with 74, without the password', async () => {
  const { code, stderr } = await sh(
    'task-queue size nats://user:hidden@127.0.0.1:1 --name q --patience 400ms',
  );
  expect([code, stderr]).toEqual([
    74,
    'task-queue: cannot reach nats://127.0.0.1:1: connection refused; is nats-server running there?; trying for 0.4 s\n' +
      'task-queue: nats://127.0.0.1:1: connection refused; is nats-server running there?\n',
  ]);
});

test('a server without JetStream is named, with what to do', async () => {
  const plain = await startNats([]);
  expect(await told(plain.url, { patience: 600 })).toMatch(
    /JetStream does not answer; start nats-server with -js/,
  );
  await plain.kill();
});

test('invalid urls and parameters are named, and a password is not shown', async () => {
  expect(await told('nats://')).toMatch(
    /^the url of a NATS server is nats:\/\/HOST:PORT, .*; got "nats:\/\/"$/,
  );
  expect(await told('nats://u:secret@h:99999')).toMatch(/got \(not shown/);
  expect(await told('nats://h?ca=x')).toBe('nats://h: ca is for TLS: use tls://h');
  expect(await told('nats://h?replicas=9')).toMatch(/replicas must be 1 to 5; got "9"$/);
  expect(await told('nats://h?x=1')).toMatch(
    /after the \? may stand password-file, creds, nkey, replicas; got "x"$/,
  );
});

test('user and password, or a token, come from the url, a file or the environment', async () => {
  const folder = freshFolder();
  writeFileSync(join(folder, 'password'), 'p4ss\n');
  const server = await startNats(['-js', '--user', 'me', '--pass', 'p4ss']);
  const at = `nats://me:@127.0.0.1:${server.port}`;
  expect(await told(`nats://me:p4ss@127.0.0.1:${server.port}`)).toBe('fine');
  expect(await told(at, { env: { TASK_NATS_PASSWORD: 'p4ss' } })).toBe('fine');
  expect(await told(at, { passwordFile: join(folder, 'password') })).toBe('fine');
  expect(await told(`${at}?password-file=${join(folder, 'password')}`)).toBe('fine');
  expect(await told(at)).toMatch(/wrong user, password or token; see TASK_NATS_PASSWORD/);
  await server.kill();
  const other = await startNats(['-js', '--auth', 'p4ss']);
  expect(await told(`nats://127.0.0.1:${other.port}`, { env: { TASK_NATS_PASSWORD: 'p4ss' } })).toBe('fine');
  await other.kill();
});

test('TLS checks the certificate of the server', async () => {
  const folder = freshFolder();
  const files = { ca: AUTHORITY, cert: GOOD, key: KEY };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.pem`), text);
  const server = await startNats([
    ...['-js', '--tls', '--tlscert', join(folder, 'cert.pem'), '--tlskey', join(folder, 'key.pem')],
  ]);
  const at = `tls://127.0.0.1:${server.port}`;
  expect(await told(`${at}?ca=${join(folder, 'ca.pem')}`)).toBe('fine');
  expect(await told(at)).toMatch(/the certificate of the server is not trusted/);
  await server.kill();
});

test('streams of another program are not touched', async () => {
  const link = openNats(natsAddress(nats.url, { env: {} }));
  const name = 'taskpipe_theirs_tasks';
  await link.run((session) => callApi(session, `STREAM.CREATE.${name}`, { name, subjects: ['theirs'] }));
  const open = openQueues(nats.url, ['theirs'], settings);
  await expect(open).rejects.toThrow(/another subjects than a queue needs; another program may have made it/);
  link.close();
});

test('streams that are only in memory are refused, unless that is accepted', async () => {
  const own = await startNats();
  await openQueues(own.url, ['q'], settings).then((queues) => queues.close());
  const link = openNats(natsAddress(own.url, { env: {} }));
  await link.run(async (session) => {
    const { config } = await callApi<{ config: object }>(session, 'STREAM.INFO.taskpipe_q_done');
    await callApi(session, 'STREAM.DELETE.taskpipe_q_done');
    await callApi(session, 'STREAM.CREATE.taskpipe_q_done', { ...config, storage: 'memory' });
  });
  expect(await told(own.url)).toMatch(/is only in memory, so that a restart of the server loses tasks/);
  expect(await told(own.url, { volatile: true })).toBe('fine');
  link.close();
  await own.kill();
});

test('a message of another program that is not a task is dead, with the reason', async () => {
  const queues = await openQueues(nats.url, ['alien'], settings);
  const link = openNats(natsAddress(nats.url, { env: {} }));
  await link.run((session) => publish(session, 'taskpipe.alien.tasks.mail', '{"to":"you"}'));
  const [queue] = queues.all;
  expect(await (await queue?.consume({ worker: 'w', lease: 30_000 }))?.take(1)).toEqual([]);
  for await (const [dead] of queue?.dead() ?? []) {
    expect(dead?.task.line).toBe('{"uuid":"mail","job":{"to":"you"}}');
    expect(dead?.error.code).toBe('TASK');
  }
  expect(await queue?.remove(['mail'])).toEqual(['mail']);
  link.close();
  queues.close();
});

test('a task that is too large for the server is named', async () => {
  const input = `{"uuid":"big","x":"${'x'.repeat(2_000_000)}"}\n`;
  const { code, stderr } = await sh(`task-queue push ${nats.url} --name big`, { input });
  expect([code, stderr]).toEqual([
    65,
    `task-queue: 0 added\ntask-queue: ${nats.url}: the task "big" has 2000021 bytes, and the server takes 1044480 (max_payload in its configuration)\n`,
  ]);
});

test('a frozen server is named, and ends a push with 74 within --patience', async () => {
  const own = await startNats();
  const push = start(`exec task-queue push ${own.url} --name q --patience 2s`);
  const end = ended(push);
  push.stdin?.on('error', () => {}); // it ends while we write
  push.stdin?.write('{"uuid":"a"}\n');
  const seen = (async () => {
    while (!(await sh(`task-queue size ${own.url} --name q | jq .waiting`)).stdout.startsWith('1'));
  })();
  await seen;
  own.freeze(true);
  push.stdin?.write('{"uuid":"b"}\n');
  const { code, stderr } = await end;
  own.freeze(false);
  expect(code).toBe(74);
  expect(stderr).toMatch(
    /went away \(no answer; is the address right, and the server alive\?\); waiting for it up to 2 s/,
  );
  await own.kill();
});

test('a signal ends the wait for a frozen server', async () => {
  const own = await startNats();
  const watch = start(`exec task-queue watch ${own.url} --name q`);
  const end = ended(watch);
  await once(watch.stderr as NodeJS.ReadableStream, 'data'); // it shows the queue
  own.freeze(true);
  watch.kill('SIGINT');
  expect((await end).signal).toBeNull();
  own.freeze(false);
  await own.kill();
});
