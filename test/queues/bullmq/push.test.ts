/* The script that adds a batch of jobs. */
import { beforeEach, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { redisAddress } from '../../../src/core/redis/redis-address.ts';
import { connectRedis } from '../../../src/core/redis/redis-client.ts';
import { backendOf } from '../../../src/queues/bullmq/bull.ts';
import { push } from '../../../src/queues/bullmq/bullmq-push.ts';
import { needsRedis, startRedis } from '../../support/redis.ts';

beforeEach(needsRedis);

test('the first push of a connection works while other commands of the connection wait to be sent', async () => {
  const redis = await startRedis();
  const link = await connectRedis(redisAddress(redis.url, { env: {} }));
  const { client } = link;
  const bull = { name: 'q', link, backend: backendOf(link, 'q', 30_000) };
  let isPushed = false;
  // ioredis collects the commands of a turn of the event loop: this keeps such a collection open all the time.
  const ask = async (): Promise<void> => {
    while (!isPushed) await client.exists('other');
  };
  const asking = ask();
  const tasks = ['a', 'b'].map((uuid) => new Task(uuid, `{"uuid":"${uuid}"}`));
  try {
    expect(await push(bull, tasks, {})).toEqual({ added: 2, seen: 0, done: 0 });
  } finally {
    isPushed = true;
  }
  await asking;
  link.close();
});
