import type { RedisLink } from '../../core/redis/redis-client.ts';
import type { Rate } from '../../core/schedule/rate.ts';

/** The generic cell rate algorithm without bursts, as in `Pacer`, by the clock of the server. */
const TURN = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local following = at + ARGV[1]
redis.call('SET', KEYS[1], string.format('%.3f', following), 'PX', math.ceil(following - now) + 1000)
return math.ceil(at - now)`;

/** Reserves the next start of a lane. Returns the time until then, in milliseconds. */
export async function takeTurn({ client }: RedisLink, lane: string, { per, count }: Rate): Promise<number> {
  return Number(await client.eval(TURN, 1, `taskpipe:rate:${lane}`, per / count));
}
