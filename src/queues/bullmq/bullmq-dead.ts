import { parseTask } from '../../core/record/ndjson.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import type { DeadTask } from '../contract.ts';
import { jobIdOf } from '../job-keys.ts';
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

/** Yields the dead tasks, oldest first. Jobs that are not tasks are skipped. */
export async function* deadTasks({ link, backend }: Bull): AsyncGenerator<readonly DeadTask[]> {
  const { client } = link;
  const fields = ['data', 'finishedOn', 'failedReason', ...DELIVERIES] as const;
  try {
    for (let from = 0; ; from += PAGE) {
      const ids = await client.zrange(backend.toKey('failed'), String(from), String(from + PAGE - 1));
      if (ids.length === 0) return;
      const jobs = await Promise.all(ids.map((id) => client.hmget(backend.toKey(id), ...fields)));
      yield jobs.flatMap(([data, at, reason, ...counts]): DeadTask[] => {
        const task = parseTask(data ?? '');
        if (!(task instanceof Task)) return [];
        const deliveries = counts.reduce((sum, count) => sum + Math.ceil(Number(count ?? 0)), 0);
        return [{ task, deliveries, at: Number(at ?? 0), error: failureOf(reason ?? '') }];
      });
    }
  } catch (error) {
    throw link.fault(error);
  }
}

/** Returns dead tasks to the queue. @param uuids default: all @returns the number of tasks */
export async function retryDead(bull: Bull, uuids?: readonly string[]): Promise<number> {
  const { link, backend } = bull;
  const { client } = link;
  const failed = backend.toKey('failed');
  let count = 0;
  const retry = async (id: string): Promise<void> => {
    if ((await client.zscore(failed, id)) === null) return;
    await clearMarks(bull, id);
    const job = { id, opts: {} } as never;
    await backend.retryFinishedJob(job, 'failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
    count++;
  };
  if (uuids !== undefined) await Promise.all(uuids.map((uuid) => retry(jobIdOf(uuid))));
  else {
    for (;;) {
      const before = count;
      const ids = await client.zrange(failed, '0', String(PAGE - 1));
      await Promise.all(ids.map(retry));
      if (count === before) break;
    }
  }
  return count;
}
