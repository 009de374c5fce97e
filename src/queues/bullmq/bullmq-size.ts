import { finishedKey } from '../../core/redis/redis-keys.ts';
import type { Causes, Size, WorkerState } from '../contract.ts';
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
  const expired = Math.min(active, await countExpired(bull, active));
  return {
    waiting: wait + prioritized + due + expired,
    delayed: Math.max(0, later - due) + repeats,
    active: active - expired,
    ...{ dead, finished, paused: !!paused, workers: [...workers.values()] },
  };
}

/** Jobs that one call of a script looks at: it blocks the server for a few milliseconds. */
const PAGE = 5000;

/** Counts the jobs of a page of the active ones that have no lock: their leases have expired. */
const EXPIRED = `
local count = 0
for _, id in ipairs(redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  if redis.call('EXISTS', ARGV[3] .. id .. ':lock') == 0 then count = count + 1 end
end
return count`;

/** Returns the number of active jobs whose leases have expired: the next worker that renews its leases requeues them. */
async function countExpired({ link, backend }: Bull, active: number): Promise<number> {
  let count = 0;
  for (let from = 0; from < active; from += PAGE) {
    const range = [from, from + PAGE - 1];
    count += Number(await link.client.eval(EXPIRED, 1, backend.toKey('active'), ...range, backend.toKey('')));
  }
  return count;
}

/** Counts a page of the dead jobs by the code at the start of their reason; see `reasonOf`. */
const CAUSES = `
local counts, flat = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local reason = redis.call('HGET', ARGV[3] .. id, 'failedReason') or ''
  local code = string.match(reason, '^([A-Z][A-Z%d_]*): ') or 'QUEUE'
  counts[code] = (counts[code] or 0) + 1
end
for code, count in pairs(counts) do
  flat[#flat + 1] = code
  flat[#flat + 1] = count
end
return flat`;

/** Returns the numbers of dead tasks by the code of their failure, the most frequent first. */
export async function causesOf({ link, backend }: Bull): Promise<Causes> {
  const failed = backend.toKey('failed');
  const counts = new Map<string, number>();
  const dead = await link.client.zcard(failed);
  for (let from = 0; from < dead; from += PAGE) {
    const range = [from, from + PAGE - 1];
    const flat = (await link.client.eval(CAUSES, 1, failed, ...range, backend.toKey(''))) as unknown[];
    for (let i = 0; i < flat.length; i += 2) {
      const code = String(flat[i]);
      counts.set(code, (counts.get(code) ?? 0) + Number(flat[i + 1]));
    }
  }
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)));
}

/** Returns the time since the next task was added, in milliseconds; 0 if none waits. */
export async function latencyOf({ link, backend }: Bull): Promise<number> {
  const [last, prioritized] = await Promise.all([
    link.client.lindex(backend.toKey('wait'), -1),
    link.client.zrange(backend.toKey('prioritized'), '0', '0'),
  ]);
  const id = last ?? prioritized[0];
  const added = id === undefined ? null : await link.client.hget(backend.toKey(id), 'timestamp');
  return added === null ? 0 : Math.max(0, link.now() - Number(added));
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
