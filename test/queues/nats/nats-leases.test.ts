/* Workers that die, stall or lose their connection, on NATS. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { type Consumer, openQueues, type Queue, type Queues } from '../../../src/queues/index.ts';
import { needsNats, startNats, type TestNats } from '../../support/nats.ts';
import { has } from '../../support/run.ts';
import { until } from '../../support/until.ts';

let nats: TestNats;
beforeAll(async () => {
  if (await has('nats-server')) nats = await startNats();
});
beforeEach(needsNats);

const LEASE = 500;
const tasks = (...uuids: readonly string[]): Task[] =>
  uuids.map((uuid) => new Task(uuid, JSON.stringify({ uuid })));
const uuidsOf = (all: readonly Task[]): string[] => all.map(({ uuid }) => uuid);
const consume = (queue: Queue, worker: string, lease = LEASE): Promise<Consumer> =>
  queue.consume({ worker, lease });

let names = 0;
/** Opens a queue twice, as two processes would have it. */
async function withTwo(
  work: (queue: Queue, other: Queue, all: readonly Queues[]) => Promise<void>,
  name = `lease${names++}`,
): Promise<void> {
  const all = await Promise.all([0, 1].map(() => openQueues(nats.url, [name], { env: {} })));
  try {
    await work(all[0]?.all[0] as Queue, all[1]?.all[0] as Queue, all);
  } finally {
    for (const queues of all) queues.close();
  }
}

/** Takes this number of tasks: one request may return some of them, if the server is slow. */
async function takeAll(consumer: Consumer, count: number): Promise<string[]> {
  const all: string[] = [];
  await until(async () => {
    all.push(...uuidsOf(await consumer.take(count - all.length)));
    return all.length === count;
  });
  return all;
}

test('the tasks of a worker that died come back after its lease, and count as waiting until then', () =>
  withTwo(async (queue, other, [first]) => {
    await queue.push(tasks('a', 'b'));
    const dead = await consume(queue, 'v');
    await takeAll(dead, 2);
    first?.close(); // the process is gone
    const consumer = await consume(other, 'w');
    await until(async () => (await other.size()).waiting === 2);
    expect((await takeAll(consumer, 2)).sort()).toEqual(['a', 'b']);
    // The verdict of the dead worker, which another process of its pipe gives, comes late.
    expect(await other.settle([{ uuid: 'a', kind: 'failed' }], { worker: 'v' })).toMatchObject({ gone: 1 });
    expect(await other.settle([{ uuid: 'a', kind: 'done' }], { worker: 'v' })).toMatchObject({ done: 1 });
    await until(async () => (await consumer.returned()).uuids.includes('a') || consumer.out.size === 1);
    expect([...consumer.out]).toEqual(['b']);
  }));

test('a worker that renews its leases keeps its tasks', () =>
  withTwo(async (queue, other) => {
    await queue.push(tasks('a'));
    const lease = 2000;
    const [busy, idle] = [await consume(queue, 'v', lease), await consume(other, 'w', lease)];
    await takeAll(busy, 1);
    const end = performance.now() + lease * 1.5;
    while (performance.now() < end) {
      await busy.renew();
      expect(await idle.take(1)).toEqual([]);
    }
    expect([...busy.out]).toEqual(['a']);
  }));

test('a task that was finished while it was with a dead worker is not delivered again', () =>
  withTwo(async (queue, other, [first]) => {
    await queue.push(tasks('a', 'b'));
    const dead = await consume(queue, 'v');
    await takeAll(dead, 2);
    first?.close();
    expect(await other.settle([{ uuid: 'a', kind: 'done' }], { worker: 'v' })).toMatchObject({ done: 1 });
    const consumer = await consume(other, 'w');
    expect(await takeAll(consumer, 1)).toEqual(['b']);
    await other.settle([{ uuid: 'b', kind: 'done' }]);
    expect(await consumer.isEmpty()).toBe(true);
  }));

test('the failure of a task whose worker has died counts before its lease expires', () =>
  withTwo(async (queue, other, [first]) => {
    await queue.push(tasks('a'), { attempts: 1 });
    await takeAll(await consume(queue, 'v', 60_000), 1);
    first?.close();
    const error = { code: 'E', message: 'm' };
    expect(await other.settle([{ uuid: 'a', kind: 'failed', error }], { worker: 'v' })).toMatchObject({
      dead: 1,
    });
    expect(await other.causes()).toEqual({ E: 1 });
  }));

test('only a task whose worker dies while it has this task alone is dead', () =>
  withTwo(async (queue) => {
    await queue.push(tasks('a', 'poison', 'c'), { attempts: 3 });
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 3);
    await consumer.giveBack(() => true);
    const groups: number[] = [];
    while (!(await consumer.isEmpty())) {
      const some = uuidsOf(await consumer.take(10));
      if (some.length === 0) continue;
      groups.push(some.length);
      // A stage that has the poison dies, with all that it has; else the work is done.
      if (some.includes('poison')) await consumer.giveBack(() => true);
      else await queue.settle(some.map((uuid) => ({ uuid, kind: 'done' })));
      await until(async () => {
        await consumer.returned();
        return consumer.out.size === 0;
      });
    }
    expect(groups.every((size) => size === 1)).toBe(true);
    const { dead, finished } = await queue.size();
    expect([dead, finished]).toEqual([1, 2]);
    expect(await queue.causes()).toEqual({ LEASE: 1 });
  }));

test('a task that was put back without a death is not a suspect', () =>
  withTwo(async (queue) => {
    await queue.push(tasks('a', 'b'), { attempts: 1 });
    const consumer = await consume(queue, 'w');
    await takeAll(consumer, 2);
    expect(await consumer.giveBack()).toBe(2);
    expect(await takeAll(consumer, 2)).toEqual(['a', 'b']);
  }));

test('a restart of the server keeps tasks, leases and verdicts, and takes nothing from a live worker', async () => {
  const own = await startNats();
  const open = (): Promise<Queues> => openQueues(own.url, ['q'], { env: {} });
  const [queues, others] = [await open(), await open()];
  const [queue, other] = [queues.all[0] as Queue, others.all[0] as Queue];
  await queue.push(tasks('a', 'b', 'c', 'd'));
  const [v, w] = [await consume(queue, 'v', 60_000), await consume(other, 'w', 60_000)];
  expect(await takeAll(v, 2)).toEqual(['a', 'b']);
  await queue.settle([{ uuid: 'a', kind: 'done' }]);
  await own.kill();
  await own.start();
  expect(await takeAll(w, 2)).toEqual(['c', 'd']);
  await v.renew();
  expect([...v.out]).toEqual(['b']);
  expect(await v.returned()).toMatchObject({ isBack: true });
  expect(await queue.settle([{ uuid: 'b', kind: 'done' }])).toMatchObject({ done: 1 });
  expect(await queue.push(tasks('a', 'b', 'c'))).toEqual({ added: 0, seen: 1, done: 2 });
  const { waiting, active, finished } = await other.size();
  expect([waiting, active, finished]).toEqual([0, 2, 2]);
  for (const one of [queues, others]) one.close();
});

test('the lease of a queue is the longest of its running workers', () =>
  withTwo(async (queue, other) => {
    await queue.push(tasks('a'));
    const slow = await consume(queue, 'v', 60_000);
    const quick = await consume(other, 'w');
    await takeAll(slow, 1);
    const end = performance.now() + LEASE * 2;
    while (performance.now() < end) expect(await quick.take(1)).toEqual([]);
  }));
