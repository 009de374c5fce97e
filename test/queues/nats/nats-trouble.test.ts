/* Troubles that users of JetStream report: full streams, deleted consumers, names, permissions and accounts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createUser } from '@nats-io/nkeys';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { messageOf } from '../../../src/core/base/errors.ts';
import type { NatsSession } from '../../../src/core/nats/contract.ts';
import { callApi, lastMessage, publish, stateOf } from '../../../src/core/nats/jetstream.ts';
import { natsAddress } from '../../../src/core/nats/nats-address.ts';
import { framesOf } from '../../../src/core/nats/nats-frames.ts';
import { openNats } from '../../../src/core/nats/nats-link.ts';
import { Task } from '../../../src/core/record/task.ts';
import { type Consumer, openQueues, type Queue } from '../../../src/queues/index.ts';
import { QueueNames } from '../../../src/queues/nats/nats-names.ts';
import { needsNats, startNats, type TestNats } from '../../support/nats.ts';
import { freshFolder, has, sh } from '../../support/run.ts';
import { until } from '../../support/until.ts';

const folder = freshFolder();
const key = createUser();
let nats: TestNats;
beforeAll(async () => {
  if (!(await has('nats-server'))) return;
  writeFileSync(join(folder, 'seed'), `${new TextDecoder().decode(key.getSeed())}\n`);
  writeFileSync(
    join(folder, 'nats.conf'),
    `jetstream: {}
    no_auth_user: anyone
    accounts: {
      plain: { users: [{ user: plain, password: p }] }
      queues: { jetstream: enabled, users: [
        { user: anyone, password: p }
        { nkey: ${key.getPublicKey()} }
        { user: mute, password: p, permissions: { publish: ["other"] } }
        { user: deaf, password: p, permissions: { subscribe: ["other"] } }
      ] }
    }`,
  );
  nats = await startNats(['-c', join(folder, 'nats.conf')]);
});
beforeEach(needsNats);

const tasks = (...uuids: readonly string[]): Task[] =>
  uuids.map((uuid) => new Task(uuid, JSON.stringify({ uuid })));
const as = (user: string): string => `nats://${user}:p@127.0.0.1:${nats.port}`;

let names = 0;
async function withQueue(
  work: (
    queue: Queue,
    names: QueueNames,
    run: <T>(work: (session: NatsSession) => Promise<T>) => Promise<T>,
  ) => Promise<void>,
): Promise<void> {
  const name = `trouble${names++}`;
  const queues = await openQueues(nats.url, [name], { env: {} });
  const link = openNats(natsAddress(nats.url, { env: {} }));
  try {
    await work(queues.all[0] as Queue, new QueueNames(name), (one) => link.run(one));
  } finally {
    link.close();
    queues.close();
  }
}

async function takeAll(consumer: Consumer, count: number): Promise<string[]> {
  const all: string[] = [];
  await until(async () => {
    all.push(...(await consumer.take(count - all.length)).map(({ uuid }) => uuid));
    return all.length === count;
  });
  return all;
}

/** Limits a stream, as its administrator may. */
async function limit(session: NatsSession, stream: string, max_msgs: number): Promise<void> {
  const { config } = await callApi<{ config: object }>(session, `STREAM.INFO.${stream}`);
  await callApi(session, `STREAM.UPDATE.${stream}`, { ...config, max_msgs });
}

test('a task that a full stream refuses is an error, and not taken for one that is there', () =>
  withQueue(async (queue, { streams }, run) => {
    await run((session) => limit(session, streams.tasks, 2));
    expect(await queue.push(tasks('a', 'b'))).toMatchObject({ added: 2 });
    await expect(queue.push(tasks('c'))).rejects.toThrow(/maximum messages exceeded; give JetStream and the/);
    expect(await queue.push(tasks('a'))).toMatchObject({ seen: 1 });
  }));

test('a dead task stays dead if a full stream does not take it back', () =>
  withQueue(async (queue, { streams }, run) => {
    await queue.push(tasks('a'), { attempts: 1 });
    await takeAll(await queue.consume({ worker: 'w', lease: 30_000 }), 1);
    await queue.settle([{ uuid: 'a', kind: 'failed' }]);
    await run((session) => limit(session, streams.tasks, 1));
    await queue.push(tasks('b'));
    await expect(queue.retry()).rejects.toThrow(/maximum messages exceeded/);
    expect((await queue.size()).dead).toBe(1);
  }));

test('a full stream of marks forgets none of them', () =>
  withQueue(async (queue, { streams }, run) => {
    await queue.settle([{ uuid: 'a', kind: 'done' }]);
    await run((session) => limit(session, streams.done, 1));
    await expect(queue.settle([{ uuid: 'b', kind: 'done' }])).rejects.toThrow(/maximum messages exceeded/);
    expect(await queue.push(tasks('a'))).toMatchObject({ done: 1 });
  }));

test('a consumer that someone deletes is created again, and finished tasks are not delivered again', () =>
  withQueue(async (queue, all, run) => {
    const { streams } = all;
    await queue.push(tasks('a', 'b', 'c', 'd'));
    const consumer = await queue.consume({ worker: 'w', lease: 500 });
    expect(await takeAll(consumer, 2)).toEqual(['a', 'b']);
    // As if `ack` had died between the mark and the acknowledgement.
    await run((session) => publish(session, all.of('done', 'a'), ''));
    await run((session) => callApi(session, `CONSUMER.DELETE.${streams.tasks}.workers`));
    expect(await takeAll(consumer, 2)).toEqual(['c', 'd']);
    await consumer.renew();
    expect([...consumer.out].sort()).toEqual(['b', 'c', 'd']);
    await queue.settle(['b', 'c', 'd'].map((uuid) => ({ uuid, kind: 'done' })));
    await until(async () => (await consumer.take(9)).length === 0 && (await consumer.isEmpty()));
    expect(await queue.size()).toMatchObject({ finished: 4, waiting: 0, active: 0 });
  }));

test('a task that is marked as finished while it waits is not delivered', () =>
  withQueue(async (queue, all, run) => {
    await queue.settle([{ uuid: 'before', kind: 'done' }]); // of a task that no worker had
    await queue.push(tasks('a', 'b'));
    await run((session) => publish(session, all.of('done', 'a'), ''));
    expect(await takeAll(await queue.consume({ worker: 'w', lease: 30_000 }), 1)).toEqual(['b']);
  }));

test('the first worker of a queue need not look whether its tasks are finished, unless one may be', async () => {
  const renewed = (before: (queue: Queue) => Promise<unknown>): Promise<boolean> => {
    let isNoted = false;
    return withQueue(async (queue, all, run) => {
      await before(queue);
      await queue.push(tasks('a'));
      expect(await takeAll(await queue.consume({ worker: 'w', lease: 30_000 }), 1)).toEqual(['a']);
      isNoted = (await run((session) => lastMessage(session, all.streams.live, all.renewed))) !== undefined;
    }).then(() => isNoted);
  };
  expect(await renewed(async () => {})).toBe(false);
  expect(await renewed((queue) => queue.settle([{ uuid: 'before', kind: 'done' }]))).toBe(true);
});

test('claims of finished tasks are removed with their buckets, and those of others stay', () =>
  withQueue(async (queue, { streams }, run) => {
    const all = tasks(...Array.from({ length: 2500 }, (_, i) => `t${i}`));
    await queue.push(all);
    await queue.keepSettling('w'); // hears what the worker takes
    const consumer = await queue.consume({ worker: 'w', lease: 30_000 });
    await takeAll(consumer, 2500);
    const left = ['t50', 't1700'];
    const done = all.filter(({ uuid }) => !left.includes(uuid));
    const counts = await queue.settle(done.map(({ uuid }) => ({ uuid, kind: 'done' })));
    expect(counts).toMatchObject({ done: 2498, gone: 0 });
    await until(() => consumer.out.size === 2);
    await consumer.take(1);
    const claims = (): Promise<number> =>
      run(async (session) => (await stateOf(session, streams.claims)).messages);
    expect(await claims()).toBe(999 + 1000); // the last of three buckets is gone
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 2, finished: 2498 });
    await queue.settle(left.map((uuid) => ({ uuid, kind: 'done' })));
    expect(await consumer.isEmpty()).toBe(true);
    expect(await claims()).toBe(0);
  }));

test('a host name that is unknown is looked up again for --patience', async () => {
  const { code, stderr } = await sh('task-queue size nats://host.invalid --name q --patience 300ms');
  expect([code, stderr]).toEqual([
    74,
    'task-queue: cannot reach nats://host.invalid: no such host; is its name right?; trying for 0.3 s\n' +
      'task-queue: nats://host.invalid: no such host; is its name right?\n',
  ]);
});

test('a user without rights or without JetStream is named at once, with the remedy', async () => {
  const told = (url: string): Promise<string> =>
    openQueues(url, ['q'], { env: {} }).then(() => 'fine', messageOf);
  expect(await told(as('mute'))).toMatch(/the user lacks permissions: it must publish to \$JS\.API\.>/);
  expect(await told(as('deaf'))).toMatch(/the user lacks permissions: .*subscribe to _INBOX/);
  expect(await told(as('plain'))).toMatch(/the account of this user has no JetStream; enable it/);
  expect(await told(`${nats.url}?creds=${join(folder, 'none')}`)).toMatch(
    /^cannot read the credentials in .*: no such file/,
  );
  expect(await told(`${nats.url}?creds=${join(folder, 'nats.conf')}`)).toMatch(
    /is not one that nsc or nk makes/,
  );
  expect(await told(`${nats.url}?nkey=${join(folder, 'seed')}`)).toBe('fine');
});

test('a burst of messages is what the client sends, and no message can be slipped in', () => {
  const refused: string[] = [];
  const letter = { reply: 'r', headers: undefined, payload: 'é' };
  const frames = framesOf(
    [
      { ...letter, subject: 'a' },
      { ...letter, subject: 'b', headers: { A: 1 }, payload: new Uint8Array([0, 255]), reply: undefined },
      { ...letter, subject: 'c x' },
      { ...letter, subject: 'd', payload: 'x'.repeat(100) },
      { ...letter, subject: 'e', reply: 'r\r\nPUB f 0' },
      { ...letter, subject: 'g', headers: { B: 'é' } },
    ],
    50,
    ({ subject }) => refused.push(subject),
  );
  expect(refused).toEqual(['c x', 'd', 'e']);
  expect(frames.toString('latin1')).toBe(
    'PUB a r 2\r\n\u00c3\u00a9\r\nHPUB b  18 20\r\nNATS/1.0\r\nA: 1\r\n\r\n\u0000\u00ff\r\n' +
      'HPUB g r 19 21\r\nNATS/1.0\r\nB: \u00c3\u00a9\r\n\r\n\u00c3\u00a9\r\n',
  );
});
