import { messageOf, TaskpipeError } from '../../core/base/errors.ts';
import type { RedisLink } from '../../core/redis/redis-client.ts';

/*
 * Redis rejects writes that need memory when it is full (maxmemory-policy noeviction). Adding tasks stops before the
 * memory is full, so that workers can continue. Acknowledging and clearing free memory, and work even if it is full.
 */

/** Share of the memory that is kept free for workers. */
const FREE = 0.1;
/** Minimum and maximum of that memory, in bytes and as a share: buffers of clients count too. */
const FREE_BYTES = 4 * 1024 * 1024;
const FREE_MOST = 0.25;

/** @throws {TaskpipeError} `IO` if Redis is nearly full */
export async function assertRoom({ client, address }: RedisLink): Promise<void> {
  const info = await client.info('memory');
  const of = (key: string): number => Number(new RegExp(`^${key}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const [used, limit] = [of('used_memory'), of('maxmemory')];
  const free = Math.min(Math.max(limit * FREE, FREE_BYTES), limit * FREE_MOST);
  if (limit === 0 || used < limit - free) return;
  throw new TaskpipeError(
    'IO',
    `${address.place}: its memory is nearly full (${megabytes(used)} of ${megabytes(limit)}), and workers need the rest; let workers take tasks, or give it more (maxmemory)`,
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/**
 * Script that writes even if the memory is full: Redis lets a script write on that has deleted something
 * (`scriptVerifyOOM` in its script.c).
 */
const FORCED = `redis.call('DEL', KEYS[2]) return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))`;
/** Maximum number of arguments of a forced write: Lua unpacks fewer than 8,000. */
const MOST = 5000;

/** Writes to a key, even if Redis is full. Only for writes that let memory be freed. */
export async function writeEvenIfFull(
  { client }: RedisLink,
  command: 'sadd' | 'rpush' | 'set' | 'hset',
  key: string,
  ...values: readonly (string | number)[]
): Promise<void> {
  try {
    await (client[command] as (...all: unknown[]) => Promise<unknown>)(key, ...values);
  } catch (error) {
    if (!isFull(error)) throw error;
    for (let i = 0; i < values.length; i += MOST)
      await client.eval(FORCED, 2, key, `${key}:none`, command, ...values.slice(i, i + MOST));
  }
}

/** Returns whether Redis rejected a command because its memory is full. */
export function isFull(error: unknown): boolean {
  return /^OOM|OOM command/.test(messageOf(error));
}
