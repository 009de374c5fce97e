/* Numbers that a queue reports: what a push added, what waits, and which tasks are never delivered. */
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import { openQueues, type Queue, type Queues } from '../../../src/queues/index.ts';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { ended, has, sh, start } from '../../support/run.ts';

let redis: TestRedis;
const open: Queues[] = [];
beforeAll(async () => {
  if (await has('redis-server')) redis = await startRedis();
});
afterAll(() => {
  for (const queues of open) queues.close();
});
beforeEach(needsRedis);

const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"t${i}"}\n`).join('');
const tasks = (...uuids: string[]): Task[] => uuids.map((uuid) => new Task(uuid, `{"uuid":"${uuid}"}`));
const size = async (at: string, fields: string): Promise<string> =>
  (await sh(`task-queue size ${at} | jq -c '[${fields}]'`)).stdout.trim();

/** Opens a queue over a separate connection, like another machine. */
async function machine(name: string): Promise<Queue> {
  const queues = await openQueues(redis.url, [name], { env: {} });
  open.push(queues);
  return queues.all[0] as Queue;
}

describe('push', () => {
  test('of the same tasks from two machines adds up to the number of tasks', async () => {
    const at = `${redis.url} --name both`;
    const pushes = await Promise.all(
      [1, 2, 3].map(() => sh(`task-queue push ${at}`, { input: lines(4000) })),
    );
    const added = pushes.map(({ stderr }) =>
      Number((/([\d,]+) added/.exec(stderr)?.[1] ?? '').replace(',', '')),
    );
    expect(added.reduce((sum, count) => sum + count)).toBe(4000);
    expect(await size(at, '.waiting')).toBe('[4000]');
  }, 60_000);

  test.each([{}, { front: true }, { priority: 2 }, { delay: 60_000 }])(
    'with %o counts each task once, however its requests meet',
    async (options) => {
      const name = `meet-${Object.keys(options)}`;
      const [one, two] = await Promise.all([machine(name), machine(name)]);
      for (let round = 0; round < 20; round++) {
        const batch = tasks(...Array.from({ length: 50 }, (_, i) => `${round}-${i}`));
        const counts = await Promise.all([one.push(batch, options), two.push(batch, options)]);
        const sum = (key: 'added' | 'seen') => counts.reduce((all, count) => all + count[key], 0);
        expect([sum('added'), sum('seen')]).toEqual([50, 50]);
      }
    },
  );

  test('with repeat runs a task twice that two machines add at once', async () => {
    const [one, two] = await Promise.all([machine('repeat'), machine('repeat')]);
    const options = { repeat: true, again: true };
    await Promise.all([one.push(tasks('a'), options), two.push(tasks('a'), options)]);
    const { stderr } = await sh(
      `task-queue pull ${redis.url} --name repeat --until-empty --quiet | task-queue ack ${redis.url} --name repeat`,
    );
    expect(stderr).toBe('task-queue: 2 done\n');
  });
});

test('a waiting task that task-done marks is never delivered', async () => {
  const at = `${redis.url} --name marked`;
  await sh(`task-queue push ${at} --quiet`, { input: lines(3) });
  await sh(`task-queue push ${at} --quiet --delay 1s`, { input: '{"uuid":"later"}\n' });
  await sh(`task-done mark '${redis.url}#marked' t1 later`);
  const { stdout } = await sh(
    `task-queue pull ${at} --until-empty --quiet | tee out | task-queue ack ${at} --quiet; cat out`,
  );
  expect(stdout).toBe('{"uuid":"t0"}\n{"uuid":"t2"}\n');
  expect(await size(at, '.waiting, .delayed, .active, .dead, .finished')).toBe('[0,0,0,0,4]');
});

test('a dead task that task-done marks is not delivered even if it is retried', async () => {
  const at = `${redis.url} --name dead`;
  await sh(`task-queue push ${at} --quiet --attempts 1`, { input: lines(1) });
  await sh(`task-queue pull ${at} --until-empty --quiet | task-queue nack ${at} --quiet`);
  await sh(`task-done mark '${redis.url}#dead' t0`);
  await sh(`task-queue retry ${at} --quiet`);
  expect((await sh(`task-queue pull ${at} --until-empty --quiet`)).stdout).toBe('');
  expect(await size(at, '.waiting, .dead')).toBe('[0,0]');
});

test('tasks whose leases have expired count as waiting', async () => {
  const at = `${redis.url} --name expired`;
  await sh(`task-queue push ${at} --quiet`, { input: lines(5) });
  const pull = start(`exec task-queue pull ${at} --window 3 --lease 500ms`);
  await once(pull.stdout as NodeJS.ReadableStream, 'data');
  expect(await size(at, '.waiting, .active')).toBe('[2,3]');
  pull.kill('SIGKILL');
  await ended(pull);
  let seen = '';
  while (seen !== '[5,0]') {
    seen = await size(at, '.waiting, .active');
    expect(['[2,3]', '[5,0]']).toContain(seen);
  }
});

describe('a paused queue', () => {
  test('counts its tasks as waiting, also those that are retried or become due, and delivers all once resumed', async () => {
    const at = `${redis.url} --name paused`;
    await sh(`task-queue push ${at} --quiet --attempts 1`, { input: lines(2) });
    await sh(`task-queue pull ${at} --until-empty --quiet | task-queue nack ${at} --quiet`);
    await sh(`task-queue pause ${at}`);
    await sh(`task-queue push ${at} --quiet --delay 200ms`, { input: '{"uuid":"due"}\n' });
    await sh(`task-queue push ${at} --quiet`, { input: '{"uuid":"new"}\n' });
    await sh(`task-queue retry ${at} --quiet`);
    while ((await size(at, '.waiting, .delayed')) !== '[4,0]');
    const pull = start(`exec task-queue pull ${at}`);
    let taken = '';
    pull.stdout?.on('data', (chunk) => {
      taken += chunk;
    });
    while ((await size(at, '.workers | length')) !== '[1]');
    expect([taken, await size(at, '.waiting, .active')]).toEqual(['', '[4,0]']);
    await sh(`task-queue resume ${at}`);
    while (taken.split('\n').length < 5) await new Promise((resolve) => setTimeout(resolve, 20));
    pull.kill('SIGKILL');
  });
});
