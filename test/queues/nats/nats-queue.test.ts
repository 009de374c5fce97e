/* The contract of a queue, on NATS: what is delivered, settled and counted. */
import fc from 'fast-check';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Task, uuidFault } from '../../../src/core/record/task.ts';
import { type Consumer, openQueues, type Queue, type Size } from '../../../src/queues/index.ts';
import { QueueNames, tokenOf } from '../../../src/queues/nats/nats-names.ts';
import { needsNats, startNats, type TestNats } from '../../support/nats.ts';
import { has } from '../../support/run.ts';
import { until } from '../../support/until.ts';

let nats: TestNats;
beforeAll(async () => {
  if (await has('nats-server')) nats = await startNats();
});

const uuids = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 });

test('a uuid is one token of a subject, and different uuids have different tokens', () => {
  const odd = fc.constantFrom('a.b', 'a_2eb', '*', '>', ' a', 'é', 'e\u0301', '=', '$JS');
  const ours = fc.oneof(uuids, fc.uuid(), odd);
  fc.assert(
    fc.property(ours, ours, (a, b) => {
      fc.pre(uuidFault(a) === undefined && uuidFault(b) === undefined);
      expect(tokenOf(a)).toMatch(/^[\w-]+$/);
      expect(tokenOf(a) === tokenOf(b)).toBe(a === b);
    }),
  );
});

test('a long name of a queue has a stream whose name the server can store', () => {
  const [a, b] = ['é'.repeat(100), `${'é'.repeat(99)}e`].map((name) => new QueueNames(name).streams.tasks);
  expect(a?.length).toBeLessThan(120);
  expect(a).not.toBe(b);
});

test('many processes that open a new queue at once all get it', async (context) => {
  await needsNats(context);
  for (let round = 0; round < 100; round++) {
    const name = `new${round}`;
    const opened = await Promise.all(
      Array.from({ length: 8 }, () => openQueues(nats.url, [name], { env: {} })),
    );
    const counts = await Promise.all(
      opened.map(({ all: [queue] }) => queue?.push([new Task('a', '{"uuid":"a"}')])),
    );
    expect(counts.reduce((sum, one) => sum + (one?.added ?? 0), 0)).toBe(1);
    for (const queues of opened) queues.close();
  }
});

let names = 0;
async function withQueue(work: (queue: Queue, name: string) => Promise<void>): Promise<void> {
  const name = `lib${names++}`;
  const queues = await openQueues(nats.url, [name], { env: {} });
  try {
    await work(queues.all[0] as Queue, name);
  } finally {
    queues.close();
  }
}

/** Runs `work` with the queue over another connection, as another process would have it. */
async function elsewhere(name: string, work: (queue: Queue) => Promise<void>): Promise<void> {
  const queues = await openQueues(nats.url, [name], { env: {} });
  await work(queues.all[0] as Queue).finally(() => queues.close());
}

const task = (uuid: string): Task => new Task(uuid, JSON.stringify({ uuid }));
const tasks = (...all: readonly string[]): Task[] => all.map(task);
const uuidsOf = (all: readonly Task[]): string[] => all.map(({ uuid }) => uuid);
const consume = (queue: Queue, worker: string, lease = 30_000): Promise<Consumer> =>
  queue.consume({ worker, lease });
const done = (uuid: string) => ({ uuid, kind: 'done' as const });
const back = (uuid: string) => ({ uuid, kind: 'back' as const });
const failed = (uuid: string) => ({ uuid, kind: 'failed' as const, error: { code: 'E', message: 'm' } });

/** Returns the numbers of a size: waiting, delayed, active, dead and finished. */
const counts = ({ waiting, delayed, active, dead, finished }: Size): readonly number[] => [
  ...[waiting, delayed, active],
  ...[dead, finished],
];

/** Takes this number of tasks: one request may return some of them, if the server is slow. */
async function takeAll(consumer: Consumer, count: number): Promise<readonly Task[]> {
  const all: Task[] = [];
  await until(async () => {
    all.push(...(await consumer.take(count - all.length)));
    return all.length === count;
  });
  return all;
}

beforeEach(needsNats);

test('a push tells which tasks are new, in the queue, dead, and finished', () =>
  withQueue(async (queue) => {
    expect(await queue.push(tasks('a', 'b', 'a'))).toEqual({ added: 2, seen: 1, done: 0 });
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 2);
    await queue.settle([done('a'), { ...failed('b'), isFinal: true }]);
    expect(await queue.push(tasks('a', 'b', 'c'))).toEqual({ added: 1, seen: 1, done: 1 });
    expect(await queue.push(tasks('a', 'b', 'c'), { again: true })).toEqual({ added: 2, seen: 1, done: 0 });
    expect(counts(await queue.size())).toEqual([3, 0, 0, 0, 0]);
  }));

test('a delay ends', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a'));
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 1);
    await queue.settle([failed('a')], { delay: 100 });
    expect(uuidsOf(await takeAll(consumer, 1))).toEqual(['a']);
  }));

test('a verdict counts once, in one batch, in a second one, and from two processes at once', () =>
  withQueue((queue, name) =>
    elsewhere(name, async (other) => {
      await queue.push(tasks('a', 'b', 'c'));
      const consumer = await consume(queue, 'w');
      await takeAll(consumer, 3);
      expect(await queue.settle([done('a'), done('a'), failed('b')])).toMatchObject({
        ...{ done: 1, gone: 1, again: 1 },
      });
      expect(await other.settle([done('a'), failed('a'), failed('b')])).toMatchObject({ gone: 3, again: 0 });
      const [x, y] = await Promise.all([queue.settle([failed('c')]), other.settle([failed('c')])]);
      expect([x.again + y.again, x.gone + y.gone]).toEqual([1, 1]);
      expect((await queue.size()).finished).toBe(1);
    }),
  ));

test('a worker that did not hear of a verdict finds out when it renews its leases', () =>
  withQueue(async (queue, name) => {
    await queue.push(tasks('a', 'b'));
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 2);
    await elsewhere(name, (other) => other.clear());
    await consumer.renew();
    expect(consumer.out.size).toBe(0);
    expect((await consumer.returned()).uuids).toEqual(['a', 'b']);
  }));

test('a task that waits can be finished, and is not delivered then', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a', 'b', 'c'));
    expect(await queue.settle([done('b')])).toMatchObject({ done: 1 });
    const consumer = await consume(queue, 'w');
    expect(uuidsOf(await takeAll(consumer, 2))).toEqual(['a', 'c']);
  }));

test('claims tell what a worker has, what waits, and what is finished', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a', 'b', 'c', 'd'));
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 3);
    await queue.settle([done('b'), { ...failed('c'), isFinal: true }]);
    expect(await queue.claims(['a', 'b', 'c', 'd', 'e'], 'w')).toEqual([3, 1, 2, 2, 0]);
    expect(await queue.claims(['a', 'd'], 'other')).toEqual([2, 2]);
    expect(await queue.claims(['a'], undefined)).toEqual([3]);
  }));

test('remove takes out tasks that wait or are dead, not those of a worker', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a', 'b', 'c'));
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 2);
    await queue.settle([{ ...failed('b'), isFinal: true }]);
    expect(await queue.remove(['a', 'b', 'c', 'x'])).toEqual(['b', 'c']);
    expect(await consumer.take(2)).toEqual([]);
    expect(counts(await queue.size())).toEqual([0, 0, 1, 0, 0]);
    expect(await queue.push(tasks('b', 'c'))).toMatchObject({ added: 2 });
  }));

test('clear forgets tasks, not which ones are finished', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a', 'b', 'c'));
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 2);
    await queue.settle([done('a')]);
    await queue.clear();
    expect(counts(await queue.size())).toEqual([0, 0, 0, 0, 1]);
    expect(await consumer.take(3)).toEqual([]);
    expect(await queue.push(tasks('a', 'b'))).toEqual({ added: 1, seen: 0, done: 1 });
    await consumer.renew();
    expect(uuidsOf(await takeAll(consumer, 1))).toEqual(['b']);
  }));

test('stop reaches the workers of a name, or all, and size lists them', () =>
  withQueue(async (queue) => {
    await queue.push(tasks('a', 'b'));
    const [v, w] = [await consume(queue, 'v/1 é'), await consume(queue, 'w')];
    await takeAll(w, 2);
    const { workers } = await queue.size();
    expect([...workers].sort((a, b) => a.out - b.out)).toEqual([
      { worker: 'v/1 é', out: 0 },
      { worker: 'w', out: 2 },
    ]);
    expect([await queue.stop('x'), await queue.stop('v/1 é')]).toEqual([0, 1]);
    expect([await v.greet(), await w.greet()]).toEqual([true, false]);
    await v.close();
    expect(await queue.stop()).toBe(1);
    expect(await w.greet()).toBe(true);
  }));

test('the latency is that of the task which is delivered next', () =>
  withQueue(async (queue) => {
    expect(await queue.latency()).toBe(0);
    await queue.push(tasks('a'));
    await until(async () => (await queue.latency()) > 0);
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 1);
    expect(await queue.latency()).toBe(0);
    await queue.settle([back('a')]);
    expect(await queue.latency()).toBeGreaterThan(0);
  }));

test('odd uuids, and an odd name of the queue, go through', async () => {
  const odd = ['a.b', '*', '>', ' ', 'x y', '$JS.API', 'é', '日本', '💡', '_', '=', '%2E', 'a'.repeat(256)];
  const all = odd.filter((uuid) => uuidFault(uuid) === undefined);
  const queues = await openQueues(nats.url, ['a.b * > é/\\ 日'], { env: {} });
  const queue = queues.all[0] as Queue;
  await queue.push(all.map(task));
  const consumer = await consume(queue, 'a b.*>');
  expect(uuidsOf(await takeAll(consumer, all.length))).toEqual(all);
  expect(await queue.settle(all.map(done), { worker: 'a b.*>' })).toMatchObject({ done: all.length });
  expect(await queue.push(all.map(task))).toEqual({ added: 0, seen: 0, done: all.length });
  queues.close();
});
