import { finishedKey } from '../../core/redis/redis-keys.ts';
import type { Size, WorkerState } from '../contract.ts';
import { stopsKey, workersKey } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { countRepeats } from './bullmq-repeat.ts';

/** Returns the numbers of tasks by state, and the live workers. */
export async function sizeOf(bull: Bull): Promise<Size> {
  const { name, link, backend } = bull;
  const [counts, repeats, finished, workers, paused, due] = await Promise.all([
    backend.getCounts(['wait', 'prioritized', 'delayed', 'active', 'failed']),
    countRepeats(bull),
    link.client.scard(finishedKey(name)),
    workersOf(bull),
    backend.getQueueMetaField('paused'),
    // BullMQ moves them to the waiting ones at the next delivery. Its scores are the time and 12 bits of a counter.
    link.client.zcount(backend.toKey('delayed'), 0, link.now() * 0x1000 + 0xfff),
  ]);
  const [wait = 0, prioritized = 0, later = 0, active = 0, dead = 0] = counts;
  return {
    waiting: wait + prioritized + due,
    delayed: Math.max(0, later - due) + repeats,
    ...{ active, dead, finished, paused: !!paused, workers: [...workers.values()] },
  };
}

/** Time after its last sign of life at which a worker is considered gone, in milliseconds. */
const GONE = 15_000;

/** Returns the live workers, by instance, and removes those that are gone. */
export async function workersOf({ name, link }: Bull): Promise<Map<string, WorkerState>> {
  const workers = new Map<string, WorkerState>();
  const { client } = link;
  for (const [instance, text] of Object.entries(await client.hgetall(workersKey(name)))) {
    const { worker, out, at } = JSON.parse(text) as WorkerState & { at: number };
    if (at > link.now() - GONE) workers.set(instance, { worker, out });
    else await Promise.all([client.hdel(workersKey(name), instance), client.srem(stopsKey(name), instance)]);
  }
  return workers;
}
