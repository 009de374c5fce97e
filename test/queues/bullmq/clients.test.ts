/* BullMQ's own clients, as dashboards use them, on a live queue of ours, and our commands after their changes. */
import { Queue as BullQueue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { ended, has, sh, start } from '../../support/run.ts';
import { drain, push, size, tasks } from '../commands.ts';

let redis: TestRedis;
let connection: Redis;
const closing: (() => Promise<void>)[] = [];
beforeAll(async () => {
  if (!(await has('redis-server'))) return;
  redis = await startRedis();
  connection = new Redis(redis.url, { maxRetriesPerRequest: null });
});
afterAll(async () => {
  for (const close of closing) await close();
  connection?.disconnect();
});
beforeEach(needsRedis);

let names = 0;
/** Returns a queue of BullMQ, and the options of ours for the same queue. */
function fresh(): { board: BullQueue; at: string; name: string } {
  const name = `client${names++}`;
  const board = new BullQueue(name, { connection });
  closing.push(() => board.close());
  return { board, name, at: `${redis.url} --name ${name}` };
}

describe('a dashboard sees', () => {
  test('the same counts as task-queue size', async () => {
    const { board, at } = fresh();
    await push(at, tasks('dead'), '--attempts 1');
    await drain(at, 'nack');
    await push(at, tasks('a', 'b', 'c'));
    await push(at, tasks('low'), '--priority 3');
    await push(at, tasks('later'), '--delay 1h');
    const pull = start(`exec task-queue pull ${at} --window 1 --worker m1`);
    while ((await size(at, '.active')) !== '[1]');
    expect(await board.getJobCounts()).toMatchObject({
      ...{ waiting: 2, prioritized: 1, delayed: 1, active: 1, failed: 1, completed: 0 },
    });
    expect(await size(at, '.waiting, .delayed, .active, .dead')).toBe('[3,1,1,1]');
    expect(await board.getJob('=a').then((job) => job?.getState())).toBe('active');
    pull.kill('SIGKILL');
  });

  test('remove, front and clear', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b', 'c', 'd'));
    await sh(`task-queue remove ${at} b --quiet`);
    await sh(`task-queue front ${at} d --quiet`);
    expect((await board.getJobs(['wait'], 0, -1, true)).map(({ id }) => id)).toEqual(['=d', '=a', '=c']);
    await sh(`task-queue clear ${at} --yes --quiet`);
    expect(await board.count()).toBe(0);
  });

  test('pause and resume', async () => {
    const { board, at } = fresh();
    await sh(`task-queue pause ${at}`);
    expect(await board.isPaused()).toBe(true);
    await sh(`task-queue resume ${at}`);
    expect(await board.isPaused()).toBe(false);
  });

  test('each step of a task as an event', async () => {
    const { at, name } = fresh();
    const events = new QueueEvents(name, { connection: connection.duplicate() });
    closing.push(() => events.close());
    const seen: string[] = [];
    for (const event of [
      'waiting',
      'active',
      'completed',
      'failed',
      'delayed',
      'removed',
      'paused',
      'resumed',
    ] as const)
      events.on(event, (details: object) => {
        seen.push(`${event} ${(details as { jobId?: string }).jobId ?? ''}`.trim());
      });
    await events.waitUntilReady();
    const sees = async (event: string): Promise<void> => {
      while (!seen.includes(event)) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await push(at, tasks('good'));
    await sees('waiting =good');
    await drain(at);
    await sees('active =good');
    await sees('completed =good');
    await push(at, tasks('bad'), '--attempts 1');
    await drain(at, 'nack');
    await sees('failed =bad');
    await push(at, tasks('later'), '--delay 1h');
    await sees('delayed =later');
    await sh(`task-queue remove ${at} later`);
    await sees('removed =later');
    await sh(`task-queue pause ${at}; task-queue resume ${at}`);
    await sees('paused');
    await sees('resumed');
  });
});

describe('task-queue obeys a dashboard that', () => {
  test('retries one dead task, or all', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b', 'c'), '--attempts 1');
    await drain(at, 'nack');
    const [first] = await board.getFailed(0, 0);
    await first?.retry();
    expect(await size(at, '.waiting, .dead')).toBe('[1,2]');
    expect(await drain(at)).toBe(tasks(`${first?.id}`.slice(1)));
    await board.retryJobs();
    expect((await drain(at)).trim().split('\n')).toHaveLength(2);
    expect(await size(at, '.waiting, .active, .dead, .finished')).toBe('[0,0,0,3]');
  });

  test('retries a dead task while the queue is paused: it is delivered after resume', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a'), '--attempts 1');
    await drain(at, 'nack');
    await board.pause();
    await push(at, tasks('b'));
    await board.retryJobs();
    expect(await size(at, '.waiting, .paused')).toBe('[2,true]');
    await board.resume();
    expect((await drain(at)).trim().split('\n')).toHaveLength(2);
  });

  test('retries a task whose workers died: it is tried again', async () => {
    const { board, at } = fresh();
    await push(at, tasks('killer'), '--attempts 1');
    const die = async (): Promise<void> => {
      const pull = start(`exec task-queue pull ${at} --lease 500ms`);
      while (!(await size(at, '.active')).includes('1'));
      pull.kill('SIGKILL');
      await ended(pull);
    };
    const bury = async (): Promise<void> => {
      await die();
      for (;;) {
        const { stdout } = await sh(
          `timeout 20 task-queue pull ${at} --lease 500ms --until-empty --quiet | head -1`,
        );
        if (stdout === '') break; // it is dead now
      }
      expect(await size(at, '.dead')).toBe('[1]');
    };
    await bury();
    await (await board.getJob('=killer'))?.retry();
    expect(await drain(at)).toBe(tasks('killer'));
    expect(await size(at, '.dead, .finished')).toBe('[0,1]');
  }, 60_000);

  test('promotes delayed tasks', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b', 'c'), '--delay 1h');
    await (await board.getJob('=b'))?.promote();
    expect(await size(at, '.waiting, .delayed')).toBe('[1,2]');
    await board.promoteJobs();
    expect((await drain(at)).trim().split('\n').sort()).toEqual(tasks('a', 'b', 'c').trim().split('\n'));
  });

  test('removes a task: it is not delivered, and can be pushed again', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b'));
    await (await board.getJob('=a'))?.remove();
    expect(await drain(at)).toBe(tasks('b'));
    expect((await sh(`task-queue push ${at}`, { input: tasks('a', 'b') })).stderr).toBe(
      'task-queue: 1 added, 1 finished already\n',
    );
  });

  test('cannot remove a task that a worker has', async () => {
    const { board, at } = fresh();
    await push(at, tasks('held'));
    const pull = start(`exec task-queue pull ${at}`);
    while ((await size(at, '.active')) !== '[1]');
    await expect((await board.getJob('=held'))?.remove()).rejects.toThrow(/locked/);
    pull.kill('SIGKILL');
  });

  test('pauses: a pull takes no more until it resumes', async () => {
    const { board, at } = fresh();
    await board.pause();
    await push(at, tasks('a'));
    const pull = start(`exec task-queue pull ${at}`);
    let taken = '';
    pull.stdout?.on('data', (chunk) => {
      taken += chunk;
    });
    while ((await size(at, '.workers | length')) !== '[1]');
    expect([taken, await size(at, '.waiting, .active, .paused')]).toEqual(['', '[1,0,true]']);
    await board.resume();
    while (taken === '') await new Promise((resolve) => setTimeout(resolve, 20));
    pull.kill('SIGKILL');
  });

  test('cleans the dead, or empties the queue', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b'), '--attempts 1');
    await drain(at, 'nack');
    await board.clean(0, 100, 'failed');
    expect(await size(at, '.dead')).toBe('[0]');
    await push(at, tasks('c', 'd'));
    await board.drain();
    expect(await drain(at)).toBe('');
    expect((await sh(`task-queue push ${at}`, { input: tasks('a', 'b', 'c') })).stderr).toBe(
      'task-queue: 3 added\n',
    );
  });

  test('changes the priority of a task', async () => {
    const { board, at } = fresh();
    await push(at, tasks('a', 'b'), '--priority 2');
    await (await board.getJob('=b'))?.changePriority({ priority: 1 });
    expect(await drain(at)).toBe(tasks('b', 'a'));
  });
});
