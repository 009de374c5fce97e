import { parseTask } from '../../core/record/ndjson.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import type { DeadTask } from '../contract.ts';
import { jobIdOf, uuidOf } from '../job-keys.ts';
import type { Bull } from './bull.ts';
import { clearMarks, DELIVERIES } from './suspects.ts';

const PAGE = 1000;

/** Formats a failure as BullMQ stores it and its dashboards show it. */
export function reasonOf({ code, message }: Failure): string {
  return `${code}: ${message}`;
}

function failureOf(reason: string): Failure {
  const [, code, message] = /^([A-Z][A-Z\d_]*): (.*)$/s.exec(reason) ?? [];
  return code === undefined ? { code: 'QUEUE', message: reason } : { code, message: message as string };
}

/**
 * Returns the task of a dead job. A job of another program that is not a task has its id in place of a uuid, and its data as
 * `job`.
 */
function taskOf(id: string, data: string): Task {
  const task = parseTask(data);
  if (task instanceof Task && uuidOf(id) === task.uuid) return task;
  return new Task(id, JSON.stringify({ uuid: id, job: jsonOf(data) }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Yields the dead tasks, oldest first, and the dead jobs that are not tasks. */
export async function* deadTasks({ link, backend }: Bull): AsyncGenerator<readonly DeadTask[]> {
  const { client } = link;
  const fields = ['data', 'finishedOn', 'failedReason', ...DELIVERIES] as const;
  try {
    for (let from = 0; ; from += PAGE) {
      const ids = await client.zrange(backend.toKey('failed'), String(from), String(from + PAGE - 1));
      if (ids.length === 0) return;
      const jobs = await Promise.all(ids.map((id) => client.hmget(backend.toKey(id), ...fields)));
      yield jobs.map(([data, at, reason, ...counts], i): DeadTask => {
        const task = taskOf(ids[i] as string, data ?? '');
        const error = failureOf(reason ?? '');
        const sum = counts.reduce((all, count) => all + Math.ceil(Number(count ?? 0)), 0);
        // BullMQ counts the move to the dead as an attempt, but such a task was not delivered again.
        const deliveries = error.code === 'LEASE' ? Math.max(1, sum - 1) : sum;
        return { task, deliveries, at: Number(at ?? 0), error };
      });
    }
  } catch (error) {
    throw link.fault(error);
  }
}

/**
 * Returns the ids of jobs, in the order of `names`, which are uuids, or ids of dead jobs that are not tasks, as `deadTasks`
 * writes them.
 */
export async function jobIdsOf(
  { link: { client }, backend }: Bull,
  names: readonly string[],
): Promise<readonly string[]> {
  const ids = names.map(jobIdOf);
  const [tasks, others] = await Promise.all([
    Promise.all(ids.map((id) => client.exists(backend.toKey(id)))),
    Promise.all(names.map((name) => client.zscore(backend.toKey('failed'), name))),
  ]);
  return ids.map((id, i) => (tasks[i] === 0 && others[i] !== null ? (names[i] as string) : id));
}

/** Returns all dead tasks to the queue. Returns their number. */
export async function retryDead(bull: Bull): Promise<number> {
  const { client } = bull.link;
  const failed = bull.backend.toKey('failed');
  for (let count = 0; ; ) {
    const ids = await client.zrange(failed, '0', String(PAGE - 1));
    const retried = (await Promise.all(ids.map((id) => retry(bull, id)))).filter(Boolean).length;
    if (retried === 0) return count;
    count += retried;
  }
}

/** Returns the dead tasks with these uuids to the queue. Returns their uuids. */
export async function retryThese(bull: Bull, uuids: readonly string[]): Promise<readonly string[]> {
  const ids = await jobIdsOf(bull, uuids);
  const retried = await Promise.all(ids.map((id) => retry(bull, id)));
  return uuids.filter((_, i) => retried[i]);
}

/** Returns a job to the queue. Returns false if it is not dead. */
async function retry(bull: Bull, id: string): Promise<boolean> {
  const { link, backend } = bull;
  if ((await link.client.zscore(backend.toKey('failed'), id)) === null) return false;
  await clearMarks(bull, id);
  const job = { id, opts: {} } as never;
  await backend.retryFinishedJob(job, 'failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
  return true;
}
