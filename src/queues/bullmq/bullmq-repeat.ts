/*
 * Tasks that are added again while they are in the queue. BullMQ has one job per id, so they wait in a hash, as lines
 * by uuid, until the current run has ended.
 */
import { Task } from '../../core/record/task.ts';
import type { PushCounts, PushOptions } from '../contract.ts';
import { repeatsKey } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { push } from './bullmq-push.ts';

/** Marks before the line of a task: for the front of the queue, and for the back. */
const [FRONT, BACK] = ['1', '0'];

/** Script that appends a line to those of a uuid. */
const APPEND = `
local lines = redis.call('HGET', KEYS[1], ARGV[1])
return redis.call('HSET', KEYS[1], ARGV[1], lines and lines .. '\\n' .. ARGV[2] or ARGV[2])`;

/** Script that removes the first line of a uuid, unless another process has removed it. */
const REMOVE = `
local lines = redis.call('HGET', KEYS[1], ARGV[1])
if lines == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
local start = ARGV[2] .. '\\n'
if not lines or string.sub(lines, 1, #start) ~= start then return 0 end
return redis.call('HSET', KEYS[1], ARGV[1], string.sub(lines, #start + 1))`;

/** Adds tasks to a queue. With `repeat`, tasks that are in the queue are added once more after their current run. */
export async function pushWithRepeats(
  bull: Bull,
  tasks: readonly Task[],
  options: PushOptions,
): Promise<PushCounts> {
  if (!options.repeat) return push(bull, tasks, options);
  const { name, link } = bull;
  const there: Task[] = [];
  const counts = await push(bull, tasks, options, there);
  const mark = options.front ? FRONT : BACK;
  for (const { uuid, line } of there) await link.client.eval(APPEND, 1, repeatsKey(name), uuid, mark + line);
  await addRepeats(
    bull,
    there.map(({ uuid }) => uuid),
  ); // a run may have ended meanwhile
  return { ...counts, added: counts.added + there.length };
}

/** Returns the number of uuids that will run again. */
export function countRepeats({ name, link }: Bull): Promise<number> {
  return link.client.hlen(repeatsKey(name));
}

/** Adds the next repeat of each of these uuids whose run has ended. */
export async function addRepeats(bull: Bull, uuids: readonly string[]): Promise<void> {
  if (uuids.length === 0) return;
  const { name, link } = bull;
  const found = await link.client.hmget(repeatsKey(name), ...uuids);
  for (const [i, lines] of found.entries()) {
    if (lines === null || lines === undefined) continue;
    const [first = ''] = lines.split('\n', 1);
    const uuid = uuids[i] as string;
    const task = new Task(uuid, first.slice(1));
    // Added before it is removed: a crash in between repeats work, but does not lose any.
    const { added } = await push(bull, [task], { again: true, front: first.startsWith(FRONT as string) });
    if (added > 0) await link.client.eval(REMOVE, 1, repeatsKey(name), uuid, first);
  }
}

/** Adds the repeats of all uuids whose run has ended: the process that ended one may have crashed. */
export async function addAllRepeats(bull: Bull): Promise<void> {
  if ((await countRepeats(bull)) === 0) return;
  await addRepeats(bull, await bull.link.client.hkeys(repeatsKey(bull.name)));
}
