import { Queue as BullQueue } from 'bullmq';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Task, uuidFault } from '../../../src/core/record/task.ts';
import { type Consumer, openQueues, type Queue } from '../../../src/queues/index.ts';
import { jobIdOf, readToken, tokenOf, uuidOf } from '../../../src/queues/job-keys.ts';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { has } from '../../support/run.ts';

let redis: TestRedis;
beforeAll(async () => {
  if (await has('redis-server')) redis = await startRedis();
});

test('the id of a job encodes its uuid, has no separator, and is not a number', () => {
  const uuids = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 });
  const ours = fc.oneof(uuids, fc.uuid(), fc.constantFrom('wait', '17', 'a:b', '%3A', '=a', '0:1'));
  fc.assert(
    fc.property(ours, (uuid) => {
      fc.pre(uuidFault(uuid) === undefined);
      const id = jobIdOf(uuid);
      expect(uuidOf(id)).toBe(uuid);
      expect(id).not.toMatch(/:|^\d+$/);
    }),
  );
  expect(readToken(tokenOf('a/b', 'c'))).toEqual({ worker: 'a/b', instance: 'c' });
});

let names = 0;
async function withQueue(work: (queue: Queue, name: string) => Promise<void>): Promise<void> {
  const name = `lib${names++}`;
  const queues = await openQueues(redis.url, [name], { env: {} });
  try {
    await work(queues.all[0] as Queue, name);
  } finally {
    queues.close();
  }
}

const task = (uuid: string): Task => new Task(uuid, `{"uuid":"${uuid}"}`);
const uuidsOf = (tasks: readonly Task[]): string[] => tasks.map(({ uuid }) => uuid);
const consume = (queue: Queue, worker: string, lease = 30_000): Promise<Consumer> =>
  queue.consume({ worker, lease });

beforeEach(needsRedis);

test('a job of another program is not delivered, and is dead with the reason', () =>
  withQueue(async (queue, name) => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const other = new BullQueue(name, { connection });
    await other.add('mail', { to: 'you' });
    await queue.push([task('a')]);
    const consumer = await consume(queue, 'w');
    expect(uuidsOf(await consumer.take(10))).toEqual(['a']);
    expect((await queue.size()).dead).toBe(1);
    const [job] = await other.getFailed();
    expect(job?.failedReason).toBe('TASK: the job is not a task; another program may have added it');
    await other.close();
    connection.disconnect();
  }));

test('a BullMQ queue, and so a dashboard, shows tasks as jobs', () =>
  withQueue(async (queue, name) => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const other = new BullQueue(name, { connection });
    await queue.push([new Task('a', '{"uuid":"a","url":"http://h/"}')], { attempts: 1 });
    await queue.push([task('b')], { delay: 60_000 });
    expect(await other.getJobCounts('wait', 'delayed')).toEqual({ wait: 1, delayed: 1 });
    const consumer = await consume(queue, 'w');
    await consumer.take(1);
    expect((await other.getActive()).map(({ data }) => data)).toEqual([{ uuid: 'a', url: 'http://h/' }]);
    await queue.settle([{ uuid: 'a', kind: 'failed', error: { code: 'HTTP_STATUS', message: '500' } }]);
    const [dead] = await other.getFailed();
    expect([dead?.id, dead?.failedReason]).toEqual(['=a', 'HTTP_STATUS: 500']);
    await dead?.retry(); // like the button of a dashboard
    expect(uuidsOf(await consumer.take(1))).toEqual(['a']);
    await queue.settle([{ uuid: 'a', kind: 'failed' }]);
    expect((await queue.size()).dead).toBe(1);
    expect(await queue.retryThese(['a', 'b'])).toEqual(['a']);
    expect(uuidsOf(await consumer.take(1))).toEqual(['a']);
    await other.close();
    connection.disconnect();
  }));

test('a finished task that another program adds again is not delivered', () =>
  withQueue(async (queue, name) => {
    await queue.push([task('a')]);
    const consumer = await consume(queue, 'w');
    await consumer.take(1);
    await queue.settle([{ uuid: 'a', kind: 'done' }]);
    await consumer.returned();
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const other = new BullQueue(name, { connection });
    await other.add('task', { uuid: 'a' }, { jobId: '=a' });
    expect(await consumer.take(10)).toEqual([]);
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 0, finished: 1 });
    await other.close();
    connection.disconnect();
  }));

test('returned tasks are at the front again, in order, before later ones', () =>
  withQueue(async (queue) => {
    await queue.push(['a', 'b', 'c', 'd', 'e'].map(task));
    const one = await consume(queue, 'w1');
    expect(uuidsOf(await one.take(3))).toEqual(['a', 'b', 'c']);
    expect(await one.giveBack()).toBe(3);
    const two = await consume(queue, 'w2');
    expect(uuidsOf(await two.take(4))).toEqual(['a', 'b', 'c', 'd']);
    await queue.settle([
      { uuid: 'a', kind: 'back' },
      { uuid: 'b', kind: 'done' },
      { uuid: 'c', kind: 'back' },
    ]);
    expect(uuidsOf(await one.take(3))).toEqual(['a', 'c', 'e']);
  }));

test('a finished task whose worker died before its acknowledgement is not delivered again', () =>
  withQueue(async (queue, name) => {
    await queue.push([task('a')]);
    const one = await consume(queue, 'w1', 500);
    await one.take(1);
    // State after an `ack` that was killed halfway: the task is marked, but still in the queue.
    const client = new Redis(redis.url);
    await client.sadd(`taskpipe:${name}:finished`, 'a');
    client.disconnect();
    const two = await consume(queue, 'w2', 500);
    for (let left = 1; left > 0; ) {
      expect(await two.take(1)).toEqual([]);
      await two.renew(); // finds tasks that other workers left
      const { waiting, active } = await queue.size();
      left = waiting + active;
    }
    expect(await queue.size()).toMatchObject({ waiting: 0, active: 0, dead: 0, finished: 1 });
  }));

test('expired leases that no other worker took are renewed, except those of settled tasks', () =>
  withQueue(async (queue) => {
    await queue.push(['a', 'b'].map(task));
    const one = await consume(queue, 'w1', 500);
    await one.take(2);
    await new Promise((resolve) => setTimeout(resolve, 600)); // longer than the lease
    await queue.settle([{ uuid: 'b', kind: 'done' }]);
    await one.renew();
    expect([...one.out]).toEqual(['a']);
    expect((await queue.settle([{ uuid: 'a', kind: 'failed' }], { worker: 'w1' })).again).toBe(1);
  }));

test('a task that is added again while a worker has it is delivered once more after its run', () =>
  withQueue(async (queue) => {
    const line = (round: number): Task => new Task('a', `{"uuid":"a","round":${round}}`);
    const roundsOf = (tasks: readonly Task[]): unknown[] => tasks.map(({ fields }) => fields.round);
    await queue.push([line(0)]);
    const consumer = await consume(queue, 'w');
    expect(roundsOf(await consumer.take(10))).toEqual([0]);
    const again = { again: true, repeat: true };
    expect(await queue.push([line(1), line(2)], again)).toMatchObject({ added: 2, seen: 0 });
    expect(await consumer.take(10)).toEqual([]);
    expect((await queue.size()).delayed).toBe(1);
    for (const round of [1, 2]) {
      expect(await consumer.isEmpty()).toBe(false);
      await queue.settle([{ uuid: 'a', kind: 'done' }], { worker: 'w' });
      expect(roundsOf(await consumer.take(10))).toEqual([round]);
    }
    await queue.settle([{ uuid: 'a', kind: 'done' }], { worker: 'w' });
    expect(await consumer.isEmpty()).toBe(true);
  }));

test('a failed task keeps its priority when it is delivered again', () =>
  withQueue(async (queue) => {
    for (const [uuid, priority] of [
      ['low', 9],
      ['high', 1],
      ['middle', 5],
    ] as const)
      await queue.push([task(uuid)], { priority });
    const consumer = await consume(queue, 'w');
    expect(uuidsOf(await consumer.take(1))).toEqual(['high']);
    expect((await queue.settle([{ uuid: 'high', kind: 'failed' }])).again).toBe(1);
    await consumer.returned();
    expect(uuidsOf(await consumer.take(3))).toEqual(['high', 'middle', 'low']);
  }));

test('clear also removes jobs that are in no list, so that their tasks can be pushed again', () =>
  withQueue(async (queue, name) => {
    await queue.push(['a', 'b'].map(task));
    const client = new Redis(redis.url);
    await client.del(`bull:${name}:wait`); // someone deletes a list by hand
    await client.set('bull:other:=a', 'theirs');
    expect(await queue.push([task('a')])).toMatchObject({ added: 0, seen: 1 });
    await queue.clear();
    expect(await queue.push(['a', 'b'].map(task))).toMatchObject({ added: 2, seen: 0 });
    expect(await client.get('bull:other:=a')).toBe('theirs');
    client.disconnect();
  }));

test.each([{}, { front: true }, { priority: 2 }, { delay: 60_000 }])(
  'a task pushed with %j is the job that BullMQ itself adds',
  (options) =>
    withQueue(async (queue, name) => {
      const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
      const twin = `${name}twin`;
      const other = new BullQueue(twin, { connection });
      await queue.push([task('a'), task('b')], options);
      const { front: lifo, ...rest } = { front: undefined, ...options };
      const opts = { attempts: 3, ...(lifo ? { lifo } : {}), ...rest };
      const bulk = ['a', 'b'].map((uuid) => ({
        name: 'task',
        data: { uuid },
        opts: { ...opts, jobId: `=${uuid}` },
      }));
      await other.addBulk(lifo ? bulk.reverse() : bulk);
      expect(await stateOf(connection, name)).toEqual(await stateOf(connection, twin));
      await other.close();
      connection.disconnect();
    }),
);

/** Returns the jobs, the lists and the events of a queue, without times and without the option `jobId`. */
async function stateOf(redis: Redis, name: string): Promise<unknown> {
  const key = (part: string): string => `bull:${name}:${part}`;
  const job = async (id: string): Promise<unknown> => {
    const { timestamp: _, ...fields } = await redis.hgetall(key(id));
    const { jobId: _id, ...opts } = JSON.parse(fields.opts ?? '');
    return { ...fields, opts };
  };
  const events = await redis.xrange(key('events'), '-', '+');
  return {
    jobs: await Promise.all(['=a', '=b'].map(job)),
    wait: await redis.lrange(key('wait'), 0, -1),
    prioritized: await redis.zrange(key('prioritized'), '0', '-1'),
    delayed: await redis.zrange(key('delayed'), '0', '-1'),
    count: await redis.get(key('id')),
    events: events.map(([, fields]) => fields.filter((field) => !/^\d{10,}$/.test(field))),
  };
}
