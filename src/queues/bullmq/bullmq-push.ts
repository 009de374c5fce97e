import { messageOf } from '../../core/base/errors.ts';
import type { Task } from '../../core/record/task.ts';
import { finishedKey, undoneKey } from '../../core/redis/redis-keys.ts';
import { ATTEMPTS, type PushCounts, type PushOptions } from '../contract.ts';
import { fresh } from '../fresh-task.ts';
import { jobIdOf } from '../job-keys.ts';
import { ADDED, addJobs, FINISHED } from './add-script.ts';
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
  // Known tasks are left out here, so that their lines are not sent. The script decides.
  const [present] = await Promise.all([takeOutPresent(bull, byId), assertRoom(bull.link)]);
  if (there === undefined) counts.seen += present.length;
  else there.unshift(...present);
  if (!options.again) await leaveOutFinished(bull, byId, counts);
  if (byId.size === 0) return counts;
  for (const [[, task], answer] of await addAll(bull, [...byId], options)) {
    if (answer === ADDED) counts.added++;
    else if (answer === FINISHED) counts.done++;
    else if (there === undefined) counts.seen++;
    else there.push(task);
  }
  return counts;
}

/** A task with the id of its job. */
type Entry = readonly [id: string, task: Task];

/** Tasks of one script call. The server processes it while the next one is sent. */
const TOGETHER = 100;

/** Adds the tasks that have no job. Returns each with its previous state. */
async function addAll(
  bull: Bull,
  all: Entry[],
  options: PushOptions,
): Promise<readonly (readonly [Entry, number])[]> {
  // Each job is added before the one at the front: reversed, they keep their order.
  if (options.front) all.reverse();
  const adding: Promise<(readonly [Entry, number])[]>[] = [];
  for (let i = 0; i < all.length; i += TOGETHER) adding.push(add(bull, all.slice(i, i + TOGETHER), options));
  return (await Promise.all(adding)).flat();
}

/**
 * Adds the tasks that have no job and are not finished, in one atomic step: another machine may push the same tasks, or
 * finish them, at the same time.
 * @returns each task with `ADDED`, `PRESENT` or `FINISHED`
 */
async function add(
  bull: Bull,
  all: readonly Entry[],
  options: PushOptions,
): Promise<(readonly [Entry, number])[]> {
  const now = bull.link.now();
  const jobs = all.map(([id, task]) => jobOf(id, task, options, now));
  try {
    const answers = await addJobs(bull, jobs, options.again === true);
    return all.map((entry, i) => [entry, answers[i] ?? ADDED]);
  } catch (error) {
    if (/user_script|user executing the script/.test(messageOf(error)))
      await removeHalfAdded(
        bull,
        all.map(([id]) => id),
      );
    throw error;
  }
}

/**
 * Removes jobs that are in no list. A script that lacks a permission, or finds a key of another program, ends before
 * its last step: its job would count as seen and never be delivered.
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
    uuid: task.uuid,
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

/** Removes the tasks that have a job in the queue. Returns them. */
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
