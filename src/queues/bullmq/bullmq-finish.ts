import { finishedKey, undoneKey } from '../../core/redis/redis-keys.ts';
import type { Verdict } from '../contract.ts';
import { jobIdOf } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { writeEvenIfFull } from './full-memory.ts';

/**
 * Marks tasks as finished if they are in the queue or finished already, in one atomic step. Returns the indexes of
 * the others. Their jobs follow the first three keys. At any moment, a delivered task is either a job or finished,
 * because it is marked before its job is removed. A script may write while the memory is full once it has deleted
 * something.
 */
const MARK_KNOWN = `
redis.call('DEL', KEYS[3])
local unknown = {}
for i = 4, #KEYS do
  local at = (i - 4) * 2
  local uuid = ARGV[at + 1]
  if redis.call('EXISTS', KEYS[i]) == 0 and redis.call('SISMEMBER', KEYS[1], uuid) == 0 then
    unknown[#unknown + 1] = i - 4
  elseif ARGV[at + 2] == 'done' then
    redis.call('SADD', KEYS[1], uuid)
    redis.call('SREM', KEYS[2], uuid)
  end
end
return unknown`;
/** Maximum number of tasks for one script, so that it does not block Redis for long. */
const AT_ONCE = 1000;

const NONE: ReadonlySet<string> = new Set();

/** Marks the tasks with verdict `done` as finished, whether the queue knows them or not. */
export async function markFinished(
  { name, link }: Bull,
  verdicts: readonly Verdict[],
): Promise<ReadonlySet<string>> {
  const uuids = verdicts.filter(({ kind }) => kind === 'done').map(({ uuid }) => uuid);
  if (uuids.length === 0) return NONE;
  await Promise.all([
    writeEvenIfFull(link, 'sadd', finishedKey(name), ...uuids),
    link.client.srem(undoneKey(name), ...uuids),
  ]);
  return NONE;
}

/**
 * Marks the tasks with verdict `done` as finished if the queue knows them.
 * @returns the uuids of all tasks that are neither in the queue nor finished
 */
export async function markKnown(bull: Bull, verdicts: readonly Verdict[]): Promise<ReadonlySet<string>> {
  const { name, link, backend } = bull;
  const unknown = new Set<string>();
  const finished = finishedKey(name);
  for (let from = 0; from < verdicts.length; from += AT_ONCE) {
    const some = verdicts.slice(from, from + AT_ONCE);
    const keys = [finished, undoneKey(name), `${finished}:none`];
    keys.push(...some.map(({ uuid }) => backend.toKey(jobIdOf(uuid))));
    const words = some.flatMap(({ uuid, kind }) => [uuid, kind]);
    const places = (await link.client.eval(MARK_KNOWN, keys.length, ...keys, ...words)) as number[];
    for (const place of places) unknown.add((some[place] as Verdict).uuid);
  }
  return unknown;
}
