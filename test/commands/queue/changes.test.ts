/* Tasks that are removed from a queue, or moved to its front. */
import { once } from 'node:events';
import { beforeEach, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { sh, start } from '../../support/run.ts';

beforeEach(needsRedis);

const tasks = (...uuids: string[]): string => uuids.map((uuid) => `{"uuid":"${uuid}"}\n`).join('');
const take = (at: string): string =>
  `task-queue pull ${at} --until-empty --quiet | tee out | task-queue ack ${at} --quiet; cat out`;

test('remove takes waiting, delayed and dead tasks out, and leaves those of workers', async () => {
  const redis = await startRedis();
  const at = `${redis.url} --name q`;
  await sh(`task-queue push ${at} --quiet`, { input: tasks('held') });
  const pull = start(`exec task-queue pull ${at} --window 1`);
  await once(pull.stdout as NodeJS.ReadableStream, 'data');
  await sh(`task-queue push ${at} --quiet`, { input: tasks('a', 'b') });
  await sh(`task-queue push ${at} --quiet --delay 1h`, { input: tasks('later') });
  const { code, stderr } = await sh(`task-queue remove ${at.replace(' ', ' a later held unknown ')}`);
  expect([code, stderr]).toEqual([
    1,
    'task-queue: 2 tasks removed\ntask-queue: not in the queue, or with a worker: held, unknown\n',
  ]);
  const { stdout } = await sh(`task-queue size ${at} | jq -c '[.waiting, .delayed, .active]'`);
  expect(stdout).toBe('[1,0,1]\n');
  pull.kill('SIGKILL');
});

test('front moves waiting tasks before all others, in the given order', async () => {
  const redis = await startRedis();
  const at = `${redis.url} --name q`;
  await sh(`task-queue push ${at} --quiet`, { input: tasks('a', 'b', 'c') });
  await sh(`task-queue push ${at} --quiet --priority 3`, { input: tasks('low') });
  const { code, stderr } = await sh(`task-queue front ${at.replace(' ', ' low c ')}`);
  expect([code, stderr]).toEqual([0, 'task-queue: 2 tasks moved to the front\n']);
  const { stdout: order } = await sh(take(at));
  expect(order).toBe(tasks('low', 'c', 'a', 'b'));
});
