import { createRedisBackend, type RedisQueueBackend } from 'bullmq';
import { connectRedis, type RedisLink, type RedisSettings } from '../core/redis.ts';
import type { RedisAddress } from '../core/redis-address.ts';
import { finishedKey } from '../core/redis-keys.ts';
import { openConsumer } from './bullmq-consume.ts';
import { deadTasks, retryDead } from './bullmq-dead.ts';
import { push } from './bullmq-push.ts';
import { Settlement } from './bullmq-settle.ts';
import { takeTurn } from './bullmq-turn.ts';
import { jobIdOf, readToken, stopsKey, workersKey } from './keys.ts';
import type { ConsumeOptions, Queue, Queues, Size, WorkerState } from './queue.ts';

/*
 * Tasks are jobs of BullMQ (Redis or Valkey): its scripts move them, and its dashboards show them. It is driven through
 * its backend, below its Queue, Job and Worker: there a job's data is text, so that a record keeps its bytes; a
 * thousand commands go to the server at once; and a lease need not be given back by the process that took it.
 */

/** One queue, as the parts of this file's neighbours see it. */
export interface Bull {
  readonly name: string;
  readonly link: RedisLink;
  readonly backend: RedisQueueBackend;
}

/** Stalls are counted by us, against the attempts of each task: see `Consumer.take`. */
const NO_LIMIT = 1_000_000_000;

/** The backend of one queue over a connection. @param lease in milliseconds */
export function backendOf(link: RedisLink, name: string, lease: number): RedisQueueBackend {
  const options = {
    connection: link.client as never,
    skipVersionCheck: true, // ours says what to do about it
    lockDuration: lease,
    stalledInterval: Math.ceil(lease / 2),
    maxStalledCount: NO_LIMIT,
  };
  const backend = createRedisBackend(name, options);
  backend.on('error', () => {}); // the link tells of it
  return backend;
}

/** @throws {TaskpipeError} see `connectRedis` */
export async function openBullQueues(
  address: RedisAddress,
  names: readonly string[],
  settings: RedisSettings,
): Promise<Queues> {
  const link = await connectRedis(address, settings);
  return {
    all: names.map((name) => bullQueue(name, link)),
    place: address.place,
    turn: (lane, rate) => link.run(() => takeTurn(link, lane, rate)),
    close: () => link.close(),
  };
}

function bullQueue(name: string, link: RedisLink): Queue {
  const { client } = link;
  const backend = backendOf(link, name, 30_000);
  const bull: Bull = { name, link, backend };
  const settlement = new Settlement(bull);
  return {
    name,
    push: (tasks, options = {}) => link.run(() => push(bull, tasks, options)),
    finish: (uuids) => link.run(() => finish(bull, uuids)),
    settle: (verdicts, options = {}) => link.run(() => settlement.settle(verdicts, options)),
    claims: (uuids, worker) => link.run(() => claims(bull, uuids, worker)),
    keepSettling: (worker) => link.run(() => settlement.keep(worker)),
    endSettling: (worker) => link.run(() => settlement.end(worker)),
    consume: (options: ConsumeOptions) => link.run(() => openConsumer(bull, options)),
    size: () => link.run(() => sizeOf(bull)),
    dead: () => deadTasks(bull),
    retry: (uuids) => link.run(() => retryDead(bull, uuids)),
    clear: () => link.run(() => clear(bull)),
    pause: () => link.run(() => backend.pause(true)),
    resume: () => link.run(() => backend.pause(false)),
    async stop(worker) {
      const workers = await link.run(() => workersOf(bull));
      const asked = [...workers].filter(([, state]) => worker === undefined || state.worker === worker);
      if (asked.length > 0)
        await link.run(() => client.sadd(stopsKey(name), ...asked.map(([instance]) => instance)));
      return asked.length;
    },
  };
}

async function finish({ name, link, backend }: Bull, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  await Promise.all([
    link.client.sadd(finishedKey(name), ...uuids),
    ...uuids.map((uuid) => backend.remove(jobIdOf(uuid), false)),
  ]);
}

async function claims(
  { link, backend }: Bull,
  uuids: readonly string[],
  worker: string | undefined,
): Promise<readonly number[]> {
  if (uuids.length === 0) return [];
  const keys = uuids.map((uuid) => backend.toKey(jobIdOf(uuid)));
  const [there, locks] = await Promise.all([
    Promise.all(keys.map((key) => link.client.exists(key))),
    link.client.mget(...keys.map((key) => `${key}:lock`)),
  ]);
  const has = (token: string | null | undefined): boolean =>
    token != null && (worker === undefined || readToken(token).worker === worker);
  return uuids.map((_, i) => (has(locks[i]) ? 2 : (there[i] ?? 0)));
}

async function sizeOf(bull: Bull): Promise<Size> {
  const { name, link, backend } = bull;
  const [counts, finished, workers, paused] = await Promise.all([
    backend.getCounts(['wait', 'prioritized', 'delayed', 'active', 'failed']),
    link.client.scard(finishedKey(name)),
    workersOf(bull),
    backend.getQueueMetaField('paused'),
  ]);
  const [wait = 0, prioritized = 0, delayed = 0, active = 0, dead = 0] = counts;
  const states = [...workers.values()];
  return { waiting: wait + prioritized, delayed, active, dead, finished, paused: !!paused, workers: states };
}

/** A worker that has not told of itself for so long is gone, in milliseconds. */
const GONE = 15_000;

/** The workers that are there, by instance. Those that are gone are forgotten. */
export async function workersOf({ name, link }: Bull): Promise<Map<string, WorkerState>> {
  const workers = new Map<string, WorkerState>();
  const { client } = link;
  for (const [instance, text] of Object.entries(await client.hgetall(workersKey(name)))) {
    const { worker, out, at } = JSON.parse(text) as WorkerState & { at: number };
    if (at > Date.now() - GONE) workers.set(instance, { worker, out });
    else await Promise.all([client.hdel(workersKey(name), instance), client.srem(stopsKey(name), instance)]);
  }
  return workers;
}

async function clear({ backend }: Bull): Promise<void> {
  const paused = await backend.getQueueMetaField('paused');
  await backend.pause(true);
  while ((await backend.obliterate({ force: true, count: 10_000 })) > 0);
  if (paused) await backend.pause(true);
}
