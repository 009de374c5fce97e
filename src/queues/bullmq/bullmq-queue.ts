import type { RedisAddress } from '../../core/redis/redis-address.ts';
import { connectRedis, type RedisLink, type RedisSettings } from '../../core/redis/redis-client.ts';
import { assertKeyTypes, finishedKey } from '../../core/redis/redis-keys.ts';
import { type ConsumeOptions, IN_QUEUE, type Queue, type Queues } from '../contract.ts';
import { jobIdOf, queueKeyTypes, readToken, repeatsKey, stopsKey } from '../job-keys.ts';
import { type Bull, backendOf } from './bull.ts';
import { openConsumer } from './bullmq-consume.ts';
import { deadTasks, jobIdsOf, retryDead, retryThese } from './bullmq-dead.ts';
import { chargeQuotas, correctQuotas } from './bullmq-quota.ts';
import { pushWithRepeats } from './bullmq-repeat.ts';
import { Settlement } from './bullmq-settle.ts';
import { causesOf, latencyOf, sizeOf, workersOf } from './bullmq-size.ts';
import { takeTurn } from './bullmq-turn.ts';
import { isFull, writeEvenIfFull } from './full-memory.ts';

/** Opens queues of these names. @throws {TaskpipeError} see `connectRedis` */
export async function openBullQueues(
  address: RedisAddress,
  names: readonly string[],
  settings: RedisSettings,
): Promise<Queues> {
  const link = await connectRedis(address, settings);
  try {
    await link.run(() => Promise.all(names.map((name) => assertKeyTypes(link, queueKeyTypes(name)))));
  } catch (error) {
    link.close();
    throw error;
  }
  return {
    all: names.map((name) => bullQueue(name, link)),
    place: address.place,
    turn: (lane, rate) => link.run(() => takeTurn(link, lane, rate)),
    charge: (lane, asker, charges) => link.run(() => chargeQuotas(link, lane, asker, charges)),
    correct: (lane, corrections) => link.run(() => correctQuotas(link, lane, corrections)),
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
    push: (tasks, options = {}) => link.keep(() => pushWithRepeats(bull, tasks, options)),
    settle: (verdicts, options = {}) => link.keep(() => settlement.settle(verdicts, options)),
    claims: (uuids, worker) => link.run(() => claims(bull, uuids, worker)),
    keepSettling: (worker) => link.run(() => settlement.keep(worker)),
    endSettling: (worker) => link.run(() => settlement.end(worker)),
    consume: (options: ConsumeOptions) => link.run(() => openConsumer(bull, options)),
    size: () => link.run(() => sizeOf(bull)),
    causes: () => link.run(() => causesOf(bull)),
    latency: () => link.run(() => latencyOf(bull)),
    dead: () => deadTasks(bull),
    retry: () => link.keep(() => retryDead(bull)),
    retryThese: (uuids) => link.keep(() => retryThese(bull, uuids)),
    remove: (uuids) => link.keep(() => remove(bull, uuids)),
    front: (uuids) => link.run(() => front(bull, uuids)),
    clear: () => link.run(() => clear(bull)),
    pause: () => link.run(() => pause(bull)),
    resume: () => link.run(() => backend.pause(false)),
    isPaused: () => link.run(async () => !!(await backend.getQueueMetaField('paused'))),
    async stop(worker) {
      const workers = await link.run(() => workersOf(bull));
      const asked = [...workers].filter(([, state]) => worker === undefined || state.worker === worker);
      if (asked.length > 0)
        await link.run(() => client.sadd(stopsKey(name), ...asked.map(([instance]) => instance)));
      return asked.length;
    },
  };
}

async function claims(
  { name, link, backend }: Bull,
  uuids: readonly string[],
  worker: string | undefined,
): Promise<readonly number[]> {
  if (uuids.length === 0) return [];
  const keys = uuids.map((uuid) => backend.toKey(jobIdOf(uuid)));
  // The finished ones are read last, because a task is marked before its job is removed.
  const [there, locks, finished] = await Promise.all([
    Promise.all(keys.map((key) => link.client.exists(key))),
    link.client.mget(...keys.map((key) => `${key}:lock`)),
    link.client.smismember(finishedKey(name), ...uuids),
  ]);
  const has = (token: string | null | undefined): boolean =>
    token != null && (worker === undefined || readToken(token).worker === worker);
  return uuids.map((_, i) => (has(locks[i]) ? 3 : there[i] === 1 ? IN_QUEUE : (finished[i] ?? 0)));
}

/** Removes jobs. A job with a worker is locked, and stays. */
async function remove(bull: Bull, uuids: readonly string[]): Promise<readonly string[]> {
  const { name, link, backend } = bull;
  const ids = await jobIdsOf(bull, uuids);
  const there = await Promise.all(ids.map((id) => link.client.exists(backend.toKey(id))));
  const remove = async (id: string, i: number): Promise<boolean> =>
    there[i] === 1 && (await backend.remove(id, false)) !== 0;
  const removed = await Promise.all(ids.map(remove));
  const gone = uuids.filter((_, i) => removed[i]);
  if (gone.length > 0) await link.client.hdel(repeatsKey(name), ...gone);
  return gone;
}

/** Moves jobs to the front. Each is put before the one at the front: reversed, they keep their order. */
async function front({ link, backend }: Bull, uuids: readonly string[]): Promise<readonly string[]> {
  const ids = uuids.map(jobIdOf);
  const [places, scores] = await Promise.all([
    Promise.all(ids.map((id) => link.client.lpos(backend.toKey('wait'), id))),
    Promise.all(ids.map((id) => link.client.zscore(backend.toKey('prioritized'), id))),
  ]);
  const waiting = uuids.filter((_, i) => places[i] !== null || scores[i] !== null);
  for (const uuid of [...waiting].reverse()) await backend.changePriority(jobIdOf(uuid), 0, true);
  return waiting;
}

async function pause({ link, backend }: Bull): Promise<void> {
  try {
    await backend.pause(true);
  } catch (error) {
    if (!isFull(error)) throw error;
    await writeEvenIfFull(link, 'hset', backend.toKey('meta'), 'paused', 1);
    await link.client.del(backend.toKey('marker'));
  }
}

async function clear(bull: Bull): Promise<void> {
  const { name, link, backend } = bull;
  const paused = await backend.getQueueMetaField('paused');
  await pause(bull);
  await link.client.del(repeatsKey(name));
  while ((await backend.obliterate({ force: true, count: 10_000 })) > 0);
  await removeOrphans(bull);
  if (paused) await pause(bull);
}

/** Deletes jobs that are in no list, as after someone deleted a list: their tasks would count as seen forever. */
async function removeOrphans({ link: { client }, backend }: Bull): Promise<void> {
  const match = backend.toKey('').replaceAll(/[*?[\]\\]/g, '\\$&');
  for await (const keys of client.scanStream({ match: `${match}*`, count: 10_000 }))
    if (keys.length > 0) await client.unlink(...keys);
}
