import { finishedKey } from '../../core/redis/redis-keys.ts';
import type { Causes, Size, WorkerState } from '../contract.ts';
import { readToken, stopsKey, workersKey } from '../job-keys.ts';
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
    // BullMQ moves them to the waiting ones at the next delivery. Its scores consist of the time and 12 bits of a
    // counter.
    link.client.zcount(backend.toKey('delayed'), 0, link.now() * 0x1000 + 0xfff),
  ]);
  const [wait = 0, prioritized = 0, later = 0, active = 0, dead = 0] = counts;
  const held = await countHeld(bull, active);
  // These are waiting: the next worker that renews its own leases requeues them.
  const expired = held.get(NO_OWNER) ?? 0;
  const leased = [...held.values()].reduce((sum, count) => sum + count, 0) - expired;
  return {
    waiting: wait + prioritized + due + expired,
    delayed: Math.max(0, later - due) + repeats,
    active: leased,
    ...{ dead, finished, paused: !!paused },
    workers: Array.from(workers, ([instance, { worker }]) => ({ worker, out: held.get(instance) ?? 0 })),
  };
}

/** Maximum number of jobs for one call of a script, which blocks the server for a few milliseconds. */
const PAGE = 5000;

/** End of a script that returns its counts as one list. */
const FLAT = `
local flat = {}
for name, count in pairs(counts) do
  flat[#flat + 1] = name
  flat[#flat + 1] = count
end
return flat`;

/** Lock, and instance, of a job whose lease has expired. */
const NO_OWNER = '';

/** Counts a page of the active jobs by lock. */
const HELD = `
local counts = {}
for _, id in ipairs(redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local lock = redis.call('GET', ARGV[3] .. id .. ':lock') or '${NO_OWNER}'
  counts[lock] = (counts[lock] or 0) + 1
end
${FLAT}`;

/** Counts a page of the dead jobs by the code at the start of their reason; see `reasonOf`. */
const CAUSES = `
local counts = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2])) do
  local reason = redis.call('HGET', ARGV[3] .. id, 'failedReason') or ''
  local code = string.match(reason, '^([A-Z][A-Z%d_]*): ') or 'QUEUE'
  counts[code] = (counts[code] or 0) + 1
end
${FLAT}`;

/** Runs a script on each page of a list of jobs. Returns the sums of its counts. */
async function countPages(
  { link, backend }: Bull,
  script: string,
  list: 'active' | 'failed',
  length: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let from = 0; from < length; from += PAGE) {
    const args = [backend.toKey(list), from, from + PAGE - 1, backend.toKey('')];
    const flat = (await link.client.eval(script, 1, ...args)) as unknown[];
    for (let i = 0; i < flat.length; i += 2) {
      const name = String(flat[i]);
      counts.set(name, (counts.get(name) ?? 0) + Number(flat[i + 1]));
    }
  }
  return counts;
}

/** Returns the numbers of active tasks by the instance of their worker. */
async function countHeld(bull: Bull, active: number): Promise<Map<string, number>> {
  const byToken = await countPages(bull, HELD, 'active', active);
  return new Map(Array.from(byToken, ([token, count]) => [readToken(token).instance, count]));
}

/** Returns the numbers of dead tasks by the code of their failure, the most frequent first. */
export async function causesOf(bull: Bull): Promise<Causes> {
  const dead = await bull.link.client.zcard(bull.backend.toKey('failed'));
  const counts = await countPages(bull, CAUSES, 'failed', dead);
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
