import { messageOf } from '../../core/base/errors.ts';
import { stateOf, type Task, withRun } from '../../core/record/task.ts';
import { finishedKey, undoneKey } from '../../core/redis/redis-keys.ts';
import { ATTEMPTS, type PushCounts, type PushOptions } from '../contract.ts';
import { jobIdOf } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { assertRoom } from './full-memory.ts';

/** Name of a task in dashboards. */
const JOB_NAME = 'task';

/**
 * Adds tasks to a queue, each uuid once.
 * @param there receives the tasks that are in the queue already. Default: they are counted as seen.
 */
export async function push(
  bull: Bull,
  tasks: readonly Task[],
  options: PushOptions,
  there?: Task[],
): Promise<PushCounts> {
  const counts: PushCounts = { added: 0, seen: 0, done: 0 };
  const byId = new Map<string, Task>();
  for (const task of tasks) {
    const id = jobIdOf(task.uuid);
    if (!byId.has(id)) byId.set(id, task);
    else if (there === undefined) counts.seen++;
    else there.push(task);
  }
  if (options.again) await forget(bull, byId);
  // In this order: a task that is finished meanwhile is marked before it leaves the queue.
  const [present] = await Promise.all([takeOutPresent(bull, byId), assertRoom(bull.link)]);
  if (there === undefined) counts.seen += present.length;
  else there.unshift(...present);
  if (!options.again) await leaveOutFinished(bull, byId, counts);
  counts.added += byId.size;
  const entries = [...byId].map(([id, task]) => ({
    jobId: id,
    job: jobOf(id, task, options, bull.link.now()),
  }));
  // Each job is added before the one at the front: reversed, they keep their order.
  if (options.front) entries.reverse();
  try {
    if (entries.length > 0) await bull.backend.addJobs(entries);
  } catch (error) {
    if (/user_script|user executing the script/.test(messageOf(error)))
      await removeHalfAdded(bull, [...byId.keys()]);
    throw error;
  }
  return counts;
}

/**
 * Removes jobs that no list has. A script that lacks a right, or meets a key of another program, ends half-way: its job would
 * count as seen, and never be delivered.
 */
async function removeHalfAdded({ link, backend }: Bull, ids: readonly string[]): Promise<void> {
  const { client } = link;
  const lists = ['wait', 'paused', 'active'];
  const sets = ['prioritized', 'delayed', 'failed'];
  const remove = async (id: string): Promise<void> => {
    const places = await Promise.all([
      ...lists.map((name) => client.lpos(backend.toKey(name), id)),
      ...sets.map((name) => client.zscore(backend.toKey(name), id)),
    ]);
    if (places.every((place) => place === null)) await client.del(backend.toKey(id));
  };
  await Promise.allSettled(ids.map(remove)); // the error of the script is reported
}

function jobOf(id: string, task: Task, options: PushOptions, timestamp: number) {
  const { front = false, priority = 0, delay = 0, attempts = ATTEMPTS } = options;
  return {
    id,
    name: JOB_NAME,
    data: fresh(task).line,
    opts: {
      attempts,
      ...(front ? { lifo: true } : {}),
      ...(priority > 0 ? { priority } : {}),
      ...(delay > 0 ? { delay } : {}),
    },
    timestamp,
    ...{
      progress: 0,
      attemptsMade: 0,
      attemptsStarted: 0,
      stalledCounter: 0,
      failedReason: '',
      returnvalue: '',
    },
  };
}

/** Removes the `run` of a failed task, so that it is run again. */
function fresh(task: Task): Task {
  const state = stateOf(task);
  return state === undefined || state === 'SUCCESS' ? task : withRun(task, undefined);
}

async function leaveOutFinished(
  { name, link }: Bull,
  byId: Map<string, Task>,
  counts: PushCounts,
): Promise<void> {
  if (byId.size === 0) return;
  const all = [...byId];
  const isFinished = await link.client.smismember(finishedKey(name), ...all.map(([, { uuid }]) => uuid));
  for (const [i, [id]] of all.entries()) {
    if (isFinished[i] !== 1) continue;
    byId.delete(id);
    counts.done++;
  }
}

/** Takes out the tasks that have a job in the queue. Returns them. */
async function takeOutPresent({ link, backend }: Bull, byId: Map<string, Task>): Promise<Task[]> {
  if (byId.size === 0) return [];
  const { client } = link;
  const all = [...byId];
  const keys = all.map(([id]) => backend.toKey(id));
  if ((await client.exists(...keys)) === 0) return []; // the usual case
  const exist = await Promise.all(keys.map((key) => client.exists(key)));
  const present = all.filter((_, i) => exist[i] !== 0);
  for (const [id] of present) byId.delete(id);
  return present.map(([, task]) => task);
}

/** Removes the marks of tasks that are finished or dead. */
async function forget({ name, link, backend }: Bull, byId: Map<string, Task>): Promise<void> {
  if (byId.size === 0) return;
  const uuids = [...byId.values()].map(({ uuid }) => uuid);
  const ids = [...byId.keys()];
  const [, , diedAt] = await Promise.all([
    link.client.srem(finishedKey(name), ...uuids),
    link.client.srem(undoneKey(name), ...uuids),
    link.client.zmscore(backend.toKey('failed'), ...ids),
  ]);
  await Promise.all(ids.map((id, i) => diedAt[i] !== null && backend.remove(id, false)));
}
