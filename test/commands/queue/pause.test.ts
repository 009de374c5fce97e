/* Pulls of a queue that is paused. */
import { beforeEach, expect, test } from 'vitest';
import { push, tasks } from '../../queues/commands.ts';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { ended, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

beforeEach(needsRedis);

test('pull says that the queue is paused, and continues after resume', async () => {
  const { url } = await startRedis();
  const at = `${url} --name q`;
  await push(at, tasks('a'));
  await sh(`task-queue pause ${at}`);
  const pipe = start(`task-queue pull ${at} --until-empty | task-queue ack ${at} --quiet`);
  const end = ended(pipe);
  let said = '';
  pipe.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  await until(() => said.includes('\n'));
  expect(said).toBe('task-queue: q is paused, so nothing is delivered; task-queue resume lets it go on\n');
  await sh(`task-queue resume ${at}`);
  expect((await end).stderr).toMatch(/: 1 task delivered\n$/);
});
