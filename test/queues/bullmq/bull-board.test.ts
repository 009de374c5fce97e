/* Bull Board, by its HTTP API, on a live queue of ours, and our commands after its changes. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { Queue as BullQueue } from 'bullmq';
import { fastify } from 'fastify';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis, type TestRedis } from '../../support/redis.ts';
import { has, sh, start } from '../../support/run.ts';
import { drain, push, size, tasks } from '../commands.ts';

let redis: TestRedis;
let connection: Redis;
let url: string;
const server = fastify();
const adapter = new FastifyAdapter();
const board = createBullBoard({ queues: [], serverAdapter: adapter });
const queues: BullQueue[] = [];

beforeAll(async () => {
  if (!(await has('redis-server'))) return;
  redis = await startRedis();
  connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  await server.register(adapter.registerPlugin(), { prefix: '/board' });
  url = `${await server.listen({ port: 0 })}/board`;
});
afterAll(async () => {
  await server.close();
  await Promise.all(queues.map((queue) => queue.close()));
  connection?.disconnect();
});
beforeEach(needsRedis);

/** Returns the name of a new queue that the board shows, and the options of our commands for it. */
function fresh(): { name: string; at: string } {
  const name = `board${queues.length}`;
  const queue = new BullQueue(name, { connection });
  queues.push(queue);
  board.addQueue(new BullMQAdapter(queue));
  return { name, at: `${redis.url} --name ${name}` };
}

/** Sends a request to the board. Returns the status code and the body. */
async function ask(method: string, path: string, body?: object): Promise<[number, unknown]> {
  const json = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(`${url}/api/queues${path}`, { method, ...json });
  const text = await response.text();
  return [response.status, text === '' ? undefined : JSON.parse(text)];
}

/** Sends an order to the board. Returns the status code. */
const order = async (path: string, method = 'PUT', body?: object): Promise<number> =>
  (await ask(method, path, body))[0];

interface Shown {
  readonly name: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly jobs: readonly { readonly id: string; readonly data: unknown; readonly failedReason?: string }[];
  readonly isPaused: boolean;
  readonly hasWorkers: boolean | null;
}

/** Returns a queue as the board shows it, with its jobs of a state. */
async function shown(name: string, status = 'latest'): Promise<Shown> {
  const [, body] = await ask('GET', `?activeQueue=${name}&status=${status}&page=1&jobsPerPage=100`);
  return (body as { queues: Shown[] }).queues.find((queue) => queue.name === name) as Shown;
}

/** Pushes tasks, and lets them fail until they are dead. */
async function bury(at: string, ...uuids: readonly string[]): Promise<void> {
  await push(at, tasks(...uuids), '--attempts 1');
  await drain(at, 'nack');
}

describe('Bull Board shows', { timeout: 60_000 }, () => {
  test('the counts of task-queue size, and the tasks of each state', async () => {
    const { name, at } = fresh();
    await bury(at, 'dead');
    await push(at, tasks('a', 'b', 'c'));
    await push(at, tasks('low'), '--priority 3');
    await push(at, tasks('later'), '--delay 1h');
    const pull = start(`exec task-queue pull ${at} --window 1 --worker m1`);
    while ((await size(at, '.active')) !== '[1]');
    const { counts } = await shown(name);
    expect(counts).toMatchObject({
      waiting: 2,
      prioritized: 1,
      delayed: 1,
      active: 1,
      failed: 1,
      completed: 0,
    });
    expect(await size(at, '.waiting, .delayed, .active, .dead')).toBe('[3,1,1,1]');
    const ids = async (status: string): Promise<string[]> =>
      (await shown(name, status)).jobs.map(({ id }) => id).sort();
    expect(await ids('waiting')).toEqual(['=b', '=c']);
    expect([await ids('prioritized'), await ids('delayed')]).toEqual([['=low'], ['=later']]);
    expect([await ids('active'), await ids('failed')]).toEqual([['=a'], ['=dead']]);
    const [dead] = (await shown(name, 'failed')).jobs;
    expect(dead).toMatchObject({ data: { uuid: 'dead' }, failedReason: expect.stringMatching(/./) });
    pull.kill('SIGKILL');
  });

  test('one task with its data, and 404 for one that is finished', async () => {
    const { name, at } = fresh();
    const uuid = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';
    await push(at, `{"uuid":"${uuid}","n":12345678901234567890,"text":"ä\\u0000"}\n`);
    const [code, body] = await ask('GET', `/${name}/${uuid}`);
    expect([code, body]).toEqual([200, expect.objectContaining({ status: 'waiting' })]);
    expect((body as { job: object }).job).toMatchObject({ data: { uuid, text: 'ä\u0000' } });
    await drain(at);
    expect(await order(`/${name}/${uuid}`, 'GET')).toBe(404);
  });

  test('whether a worker pulls, by name', async () => {
    const { name, at } = fresh();
    expect((await shown(name)).hasWorkers).toBe(false);
    const pull = start(`exec task-queue pull ${at} --worker 'm 1'`);
    while ((await size(at, '.workers | length')) !== '[1]');
    expect((await shown(name)).hasWorkers).toBe(true);
    const [, body] = await ask('GET', `/${name}/workers`);
    expect(body).toEqual({ workers: [expect.objectContaining({ name: 'm_1' })] });
    pull.kill('SIGKILL');
  });
});

describe('task-queue obeys Bull Board that', { timeout: 60_000 }, () => {
  test('retries a dead task', async () => {
    const { name, at } = fresh();
    await bury(at, 'a', 'b');
    expect(await order(`/${name}/${encodeURIComponent('=a')}/retry`)).toBe(204);
    expect(await size(at, '.waiting, .dead')).toBe('[1,1]');
    expect(await drain(at)).toBe(tasks('a'));
    expect(await size(at, '.waiting, .dead, .finished')).toBe('[0,1,1]');
  });

  test('retries dead tasks whose uuids have characters with a meaning in urls and keys', async () => {
    const { name, at } = fresh();
    const uuids = ['a/b', 'a:b', 'a%2Fb', 'a b?c#d', '..', 'ü&=+', '17'];
    await bury(at, ...uuids);
    const { jobs } = await shown(name, 'failed');
    expect(jobs.length).toBe(uuids.length);
    for (const { id } of jobs) expect(await order(`/${name}/${encodeURIComponent(id)}/retry`), id).toBe(204);
    expect((await drain(at)).trim().split('\n').sort()).toEqual(
      tasks(...uuids)
        .trim()
        .split('\n')
        .sort(),
    );
  });

  test('retries all dead tasks', async () => {
    const { name, at } = fresh();
    await bury(at, 'a', 'b', 'c');
    expect(await ask('PUT', `/${name}/retry/failed`)).toEqual([200, { retried: 3, skipped: 0 }]);
    expect((await drain(at)).trim().split('\n').sort()).toEqual(tasks('a', 'b', 'c').trim().split('\n'));
    expect(await size(at, '.dead, .finished')).toBe('[0,3]');
  });

  test('promotes a delayed task, or all', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a', 'b', 'c'), '--delay 1h');
    expect(await order(`/${name}/${encodeURIComponent('=b')}/promote`)).toBe(204);
    expect(await size(at, '.waiting, .delayed')).toBe('[1,2]');
    expect(await order(`/${name}/promote`)).toBe(200);
    expect((await drain(at)).trim().split('\n').sort()).toEqual(tasks('a', 'b', 'c').trim().split('\n'));
  });

  test('removes a waiting task and a dead one: they are not delivered, and can be pushed again', async () => {
    const { name, at } = fresh();
    await bury(at, 'dead');
    await push(at, tasks('a', 'b'));
    for (const uuid of ['a', 'dead'])
      expect(await order(`/${name}/${encodeURIComponent(`=${uuid}`)}/clean`), uuid).toBe(204);
    expect(await size(at, '.waiting, .dead')).toBe('[1,0]');
    expect(await drain(at)).toBe(tasks('b'));
    const again = await sh(`task-queue push ${at}`, { input: tasks('a', 'b', 'dead') });
    expect(again.stderr).toBe('task-queue: 2 added, 1 finished already\n');
  });

  test('pauses: nothing is delivered until it resumes', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a'));
    expect(await order(`/${name}/pause`)).toBe(200);
    expect((await shown(name)).isPaused).toBe(true);
    const pull = start(`exec task-queue pull ${at}`);
    let taken = '';
    pull.stdout?.on('data', (chunk) => {
      taken += chunk;
    });
    while ((await size(at, '.workers | length')) !== '[1]');
    expect([taken, await size(at, '.waiting, .active, .paused')]).toEqual(['', '[1,0,true]']);
    expect(await order(`/${name}/resume`)).toBe(200);
    while (taken === '') await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await size(at, '.active, .paused')).toBe('[1,false]');
    pull.kill('SIGKILL');
  });

  test('limits the number of tasks in flight for all workers', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a', 'b', 'c', 'd', 'e'));
    expect(await order(`/${name}/concurrency`, 'PUT', { concurrency: 2 })).toBe(200);
    const pull = start(`exec task-queue pull ${at}`);
    while ((await size(at, '.active')) !== '[2]');
    expect(await order(`/${name}/concurrency`, 'PUT', { concurrency: 4 })).toBe(200);
    while ((await size(at, '.waiting, .active')) !== '[1,4]');
    pull.kill('SIGKILL');
  });

  test('changes a priority, or the delay', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a', 'b'), '--priority 2');
    await push(at, tasks('later'), '--delay 1h');
    expect(await order(`/${name}/${encodeURIComponent('=b')}/priority`, 'PATCH', { priority: 1 })).toBe(200);
    expect(
      await order(`/${name}/${encodeURIComponent('=later')}/delay`, 'PATCH', { runAt: Date.now() }),
    ).toBe(200);
    expect(await drain(at)).toBe(tasks('later', 'b', 'a'));
  });

  test('empties the queue, or deletes it', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a', 'b'));
    expect(await order(`/${name}/empty`)).toBe(200);
    expect(await size(at, '.waiting')).toBe('[0]');
    await push(at, tasks('a', 'b'));
    await order(`/${name}/pause`);
    expect(await order(`/${name}/obliterate`, 'PUT', { force: false })).toBe(200);
    expect(await size(at, '.waiting, .paused')).toBe('[0,false]');
    await push(at, tasks('a'));
    expect(await drain(at)).toBe(tasks('a'));
  });

  test('adds a job that is not a task: it is dead at once, with the reason', async () => {
    const { name, at } = fresh();
    const added = { name: 'mail', data: { to: 'me' }, options: { jobId: 'x1' } };
    expect(await order(`/${name}/add`, 'POST', added)).toBe(200);
    expect(await drain(at)).toBe('');
    const [job] = (await shown(name, 'failed')).jobs;
    expect(job).toMatchObject({ failedReason: expect.stringContaining('the job is not a task') });
    expect(await size(at, '.waiting, .dead')).toBe('[0,1]');
  });

  test('edits the data of a task: the new data is delivered', async () => {
    const { name, at } = fresh();
    await push(at, tasks('a'));
    const path = `/${name}/${encodeURIComponent('=a')}/update-data`;
    expect(await order(path, 'PATCH', { jobData: { uuid: 'a', n: 2 } })).toBe(200);
    expect(await drain(at)).toBe('{"uuid":"a","n":2}\n');
  });
});
