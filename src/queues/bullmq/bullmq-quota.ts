import type { RedisLink } from '../../core/redis/redis-client.ts';
import { MOST_WINDOWS } from '../../core/schedule/rate.ts';
import type { QuotaAnswer, QuotaCharge, QuotaCorrection } from '../contract.ts';

/*
 * Quotas of all machines, as `SlidingWindow` counts them, by the clock of the server: a hash for each lane, with a
 * field for each part of a window. The excess over a limit is charged to later windows, at most `MOST_WINDOWS`,
 * because each takes a step of the script, and all clients of the server wait for the script.
 */

/** Functions of both scripts: charges of a quota are in fields `NAME LENGTH:PART`. */
const SHARED = `
local PARTS = 256
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local lasts = 0
local function read(quota, per)
  local all = redis.call('HGETALL', KEYS[1])
  local parts, sum, prefix = {}, 0, quota .. ':'
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, #prefix) == prefix then
      local ends = (tonumber(string.sub(all[i], #prefix + 1)) + 1) * per / PARTS + per
      if ends <= now then redis.call('HDEL', KEYS[1], all[i])
      else
        sum = sum + tonumber(all[i + 1])
        parts[#parts + 1] = { ends, tonumber(all[i + 1]) }
      end
    end
  end
  return parts, sum
end
local function put(quota, limit, per, sum, cost)
  local first = math.floor(now * PARTS / per)
  local left = math.min(cost, limit * ${MOST_WINDOWS})
  repeat
    local later = math.floor(sum / limit + 1e-9)
    local some = math.min(left, (later + 1) * limit - sum)
    redis.call('HINCRBYFLOAT', KEYS[1], quota .. ':' .. string.format('%.0f', first + later * PARTS), string.format('%.12g', some))
    lasts = math.max(lasts, (later + 2) * per)
    sum = sum + some
    left = left - some
  until left <= limit * 1e-9
  return string.format('%.0f', first)
end
local function keep()
  local old = redis.call('PTTL', KEYS[1])
  redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(old, lasts) + 10000))
end
`;

/**
 * Arguments: the asker, and name, limit, window and cost of each quota. The asker that waits longest is served first.
 */
const CHARGE = `${SHARED}
local wait = 0
local waiter = redis.call('HMGET', KEYS[1], '!by', '!until')
local isFirst = not waiter[1] or waiter[1] == ARGV[1] or tonumber(waiter[2]) < now
local sums = {}
for i = 2, #ARGV, 4 do
  local limit, per, cost = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])
  local parts, sum = read(ARGV[i], per)
  sums[i] = sum
  local room = limit * (1 + 1e-9) - math.min(cost, limit)
  table.sort(parts, function(a, b) return a[1] < b[1] end)
  for _, part in ipairs(parts) do
    if sum <= room then break end
    sum = sum - part[2]
    wait = math.max(wait, part[1] - now)
  end
end
if wait > 0 or not isFirst then
  if isFirst then redis.call('HSET', KEYS[1], '!by', ARGV[1], '!until', string.format('%.3f', now + 3000)) end
  redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), 4000))
  return { tostring(math.max(1, math.ceil(wait))) }
end
redis.call('HDEL', KEYS[1], '!by', '!until')
local places = { '0' }
for i = 2, #ARGV, 4 do
  places[#places + 1] = put(ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), sums[i], tonumber(ARGV[i + 3]))
end
keep()
return places`;

/** Arguments: name, limit, window, place and difference of each quota. */
const CORRECT = `${SHARED}
for i = 1, #ARGV, 5 do
  local difference, field = tonumber(ARGV[i + 4]), ARGV[i] .. ':' .. ARGV[i + 3]
  if difference > 0 then
    local _, sum = read(ARGV[i], tonumber(ARGV[i + 2]))
    put(ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), sum, difference)
    keep()
  else
    local charged = tonumber(redis.call('HGET', KEYS[1], field) or '0')
    if charged > 0 then
      redis.call('HSET', KEYS[1], field, string.format('%.12g', math.max(0, charged + difference)))
    end
  end
end`;

function keyOf(lane: string): string {
  return `taskpipe:rate:quota:${lane}`;
}

/** Charges the costs of an attempt, if all quotas have room for them. @param asker who asks, the same each time */
export async function chargeQuotas(
  { client }: RedisLink,
  lane: string,
  asker: string,
  charges: readonly QuotaCharge[],
): Promise<QuotaAnswer> {
  const words = charges.flatMap(({ name, rate, cost }) => [
    `${name} ${rate.per}`,
    rate.count,
    rate.per,
    cost,
  ]);
  const [wait, ...places] = (await client.eval(CHARGE, 1, keyOf(lane), asker, ...words)) as string[];
  return { wait: Number(wait), places };
}

/** Corrects charges: a higher cost is charged now, a lower one is refunded. */
export async function correctQuotas(
  { client }: RedisLink,
  lane: string,
  corrections: readonly QuotaCorrection[],
): Promise<void> {
  const words = corrections.flatMap(({ name, rate, place, difference }) => [
    ...[`${name} ${rate.per}`, rate.count, rate.per, place, difference],
  ]);
  await client.eval(CORRECT, 1, keyOf(lane), ...words);
}
