/* Which task killed a worker: tasks that were in flight are delivered in smaller groups, and finally alone. */
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { judge } from '../../../src/queues/bullmq/suspects.ts';
import { openQueues, type Queue } from '../../../src/queues/index.ts';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { has } from '../../support/run.ts';

let redis: TestRedis;
beforeAll(async () => {
  if (await has('redis-server')) redis = await startRedis();
});
beforeEach(needsRedis);

let names = 0;
async function withQueue(work: (queue: Queue) => Promise<void>): Promise<void> {
  const queues = await openQueues(redis.url, [`s${names++}`], { env: {} });
  try {
    await work(queues.all[0] as Queue);
  } finally {
    queues.close();
  }
}

const task = (uuid: string): Task => new Task(uuid, `{"uuid":"${uuid}"}`);
const numbered = (count: number): Task[] => Array.from({ length: count }, (_, i) => task(`t${i}`));

async function deadOf(queue: Queue): Promise<string[]> {
  const dead: string[] = [];
  for await (const batch of queue.dead())
    dead.push(...batch.map(({ task: { uuid }, error }) => `${uuid} ${error.code}`));
  return dead.sort();
}

/**
 * Runs a queue like a service that is restarted after each death: a pull ends with the stage that died.
 * @param kills returns true for tasks that kill the stage that runs them
 * @returns the number of starts
 */
async function runUntilEmpty(queue: Queue, kills: (uuid: string) => boolean): Promise<number> {
  for (let starts = 1; ; starts++) {
    if (starts > 300) throw new Error('the queue does not become empty');
    const consumer = await queue.consume({ worker: 'w', lease: 30_000 });
    let isDead = false;
    while (!isDead && !(await consumer.isEmpty())) {
      const tasks = await consumer.take(50);
      isDead = tasks.some(({ uuid }) => kills(uuid));
      if (!isDead) await queue.settle(tasks.map(({ uuid }) => ({ uuid, kind: 'done' })));
      await consumer.returned();
    }
    await consumer.giveBack(() => isDead);
    await consumer.close();
    if (!isDead) return starts;
  }
}

test('only the task that kills its worker is dead, whatever was in flight with it', () =>
  withQueue(async (queue) => {
    await queue.push(numbered(200), { attempts: 3 });
    await runUntilEmpty(queue, (uuid) => uuid === 't31');
    expect(await deadOf(queue)).toEqual(['t31 LEASE']);
    expect((await queue.size()).finished).toBe(199);
  }));

test('each of several tasks that kill their worker is found', () =>
  withQueue(async (queue) => {
    await queue.push(numbered(120), { attempts: 2 });
    await runUntilEmpty(queue, (uuid) => /^t(7|8|90)$/.test(uuid));
    expect(await deadOf(queue)).toEqual(['t7 LEASE', 't8 LEASE', 't90 LEASE']);
  }));

test('a task that is alone in its queue and kills its worker is finally dead', () =>
  withQueue(async (queue) => {
    await queue.push([task('a')], { attempts: 3 });
    expect(await runUntilEmpty(queue, () => true)).toBeLessThan(8);
    expect(await deadOf(queue)).toEqual(['a LEASE']);
  }));

test('deaths count half while no task is finished, as when the pipe itself is broken', () =>
  withQueue(async (queue) => {
    await queue.push(numbered(20), { attempts: 3 });
    for (let start = 0; start < 4; start++) {
      const consumer = await queue.consume({ worker: 'w', lease: 30_000 });
      await consumer.take(50);
      await consumer.giveBack(() => true);
      await consumer.close();
    }
    expect(await deadOf(queue)).toEqual([]);
    await runUntilEmpty(queue, () => false);
    expect((await queue.size()).finished).toBe(20);
  }));

test('suspects run with nothing else in flight, and nothing is taken beside them', () =>
  withQueue(async (queue) => {
    await queue.push(numbered(8));
    const first = await queue.consume({ worker: 'w', lease: 30_000 });
    expect(await first.take(8)).toHaveLength(8);
    await first.giveBack(() => true);
    await queue.push([task('later')], { front: true });
    const second = await queue.consume({ worker: 'w', lease: 30_000 });
    const normal = await second.take(50);
    expect(normal.map(({ uuid }) => uuid)).toEqual(['later']);
    expect(await second.take(50)).toEqual([]);
    await queue.settle([{ uuid: 'later', kind: 'done' }]);
    await second.returned();
    expect(await second.take(50)).toHaveLength(2);
    expect(await second.take(50)).toEqual([]);
    expect(await second.giveBack()).toBe(8);
  }));

test.each([
  ['a first delivery', {}, [], 3, { size: Number.POSITIVE_INFINITY }],
  ['an expired lease', { stalledCounter: 1 }, [], 3, { size: 16 }],
  ['a death with 40 in flight', {}, ['40', '1', null], 3, { size: 10 }],
  ['a death alone', {}, ['1', '1', '1'], 3, { size: 1 }],
  ['the last attempt', {}, ['40', '2', null], 3, { size: 1 }],
  ['all attempts, but never alone', { stalledCounter: 9 }, [], 3, { size: 1 }],
  ['all attempts, the last one alone', { stalledCounter: 2 }, ['1', '1', '1'], 3, { alone: 1 }],
  ['a failure and a death alone', { attemptsMade: 2 }, ['1', '1', '1'], 3, { alone: 1 }],
] as const)('after %s a job is judged by its deaths', (_, history, marks, attempts, judgement) => {
  expect(judge(history, marks, attempts)).toEqual(judgement);
});
