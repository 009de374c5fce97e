/* Jobs that another program of BullMQ added to a queue, and that are not tasks. */
import { Queue as BullQueue } from 'bullmq';
import { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { drain, push, size, tasks } from '../../queues/commands.ts';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { sh } from '../../support/run.ts';

beforeEach(needsRedis);

test('dead lists them with their job ids, which remove and retry take', async () => {
  const { url } = await startRedis();
  const at = `${url} --name q`;
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  const other = new BullQueue('q', { connection });
  for (const data of [{ to: 'you' }, 'text', { uuid: 'u1' }]) await other.add('mail', data);
  await other.close();
  connection.disconnect();
  await push(at, tasks('2'));
  expect(await drain(at)).toBe(tasks('2'));
  await push(at, tasks('3'));
  const dead = `task-queue dead ${at} | jq -c '[.uuid, .job, .run.error.code]'`;
  expect((await sh(dead)).stdout).toBe(
    '["1",{"to":"you"},"TASK"]\n["2","text","TASK"]\n["3",{"uuid":"u1"},"TASK"]\n',
  );
  const { code, stderr } = await sh(`task-queue remove ${at.replace(' ', ' 2 3 wait u1 ')}`);
  expect([code, stderr]).toEqual([
    1,
    'task-queue: 2 tasks removed\ntask-queue: not in the queue, or with a worker: wait, u1\n',
  ]);
  expect(await size(at, '.waiting, .dead')).toBe('[0,2]'); // removed: the job 2 and the task 3, not the job 3
  expect((await sh(`task-queue retry ${at.replace(' ', ' 1 u1 ')}`)).stderr).toBe(
    'task-queue: 1 task let in again\ntask-queue: not dead: u1\n',
  );
  expect(await size(at, '.waiting, .dead')).toBe('[1,1]');
});
