/* Machines with wrong clocks: the time of Redis counts. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { openQueues, type Queue } from '../../../src/queues/index.ts';
import { needsRedis, startRedis } from '../../support/redis.ts';

beforeEach(needsRedis);
afterEach(() => void vi.useRealTimers());

test('a machine whose clock is an hour fast delivers no delayed task early, and dates a dead task right', async () => {
  const redis = await startRedis();
  const began = Date.now();
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(began + 3_600_000);
  const queues = await openQueues(redis.url, ['q'], { env: {} });
  const queue = queues.all[0] as Queue;
  await queue.push([new Task('later', '{"uuid":"later"}')], { delay: 1_800_000 });
  await queue.push([new Task('bad', '{"uuid":"bad"}')], { attempts: 1 });
  const consumer = await queue.consume({ worker: 'w', lease: 30_000 });
  expect((await consumer.take(5)).map(({ uuid }) => uuid)).toEqual(['bad']);
  await queue.settle([{ uuid: 'bad', kind: 'failed' }]);
  expect(await consumer.take(5)).toEqual([]);
  expect(await queue.size()).toMatchObject({ waiting: 0, delayed: 1, dead: 1 });
  for await (const [dead] of queue.dead()) expect(dead?.at).toBeLessThan(began + 1_800_000);
  queues.close();
});
