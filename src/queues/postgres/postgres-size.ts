import { type Causes, IN_QUEUE, type Size } from '../contract.ts';
import { GONE } from './postgres-leases.ts';
import { IS_LEASED, isFinished, type QueueTables } from './queue-tables.ts';

/** Returns the numbers of tasks by state, and the live workers. */
export async function sizeOf({ name, link }: QueueTables): Promise<Size> {
  const tasks = `
    select count(*) filter (where state = 'waiting' or (state = 'delayed' and due <= now())
        or (state = 'active' and not ${IS_LEASED})),
      count(*) filter (where state = 'delayed' and due > now()),
      count(*) filter (where state = 'active' and ${IS_LEASED}),
      count(*) filter (where state = 'dead'),
      (select count(distinct uuid) from taskpipe_queue_repeats where queue = $1),
      (select count(*) from taskpipe_marks where ledger = $1 and finished),
      exists (select from taskpipe_queue_pauses where queue = $1)
    from taskpipe_queue_tasks t where queue = $1`;
  const workers = `
    select w.worker, (select count(*) from taskpipe_queue_tasks t
      where t.queue = $1 and t.instance = w.instance and t.state = 'active')
    from taskpipe_queue_workers w where w.queue = $1 and w.seen > now() - ${GONE} order by w.worker, w.instance`;
  return link.run(async (session) => {
    const [[waiting, later, active, dead, repeats, finished, paused] = []] = await session.rows(tasks, [
      name,
    ]);
    const states = await session.rows(workers, [name]);
    return {
      ...{ waiting: Number(waiting), delayed: Number(later) + Number(repeats), active: Number(active) },
      ...{ dead: Number(dead), finished: Number(finished), paused: paused === 't' },
      workers: states.map(([worker, out]) => ({ worker: worker as string, out: Number(out) })),
    };
  });
}

/** Returns the numbers of dead tasks by the code of their failure, the most frequent first. */
export async function causesOf({ name, link }: QueueTables): Promise<Causes> {
  const sql = `
    select coalesce(code, 'QUEUE') as cause, count(*) from taskpipe_queue_tasks where queue = $1 and state = 'dead'
    group by cause order by count(*) desc, coalesce(code, 'QUEUE') collate "C"`;
  const rows = await link.run((session) => session.rows(sql, [name]));
  return Object.fromEntries(rows.map(([code, count]) => [code as string, Number(count)]));
}

/** Returns the time since the next task was added, in milliseconds; 0 if none waits. */
export async function latencyOf({ name, link }: QueueTables): Promise<number> {
  const sql = `
    select greatest(0, extract(epoch from clock_timestamp() - added) * 1000) from taskpipe_queue_tasks
    where queue = $1 and state = 'waiting' order by priority, place limit 1`;
  const [[latency] = []] = await link.run((session) => session.rows(sql, [name]));
  return Math.floor(Number(latency ?? 0));
}

/** Returns the relation of a queue to each task; see `Queue.claims`. */
export async function claimsOf(
  { name, link }: QueueTables,
  uuids: readonly string[],
  worker: string | undefined,
): Promise<readonly number[]> {
  if (uuids.length === 0) return [];
  const sql = `
    select coalesce(
      (select case when t.state = 'active' and ($3::text is null or t.worker = $3) then 3 else ${IN_QUEUE} end
        from taskpipe_queue_tasks t where t.queue = $1 and t.uuid = n.uuid),
      case when ${isFinished('n.uuid')} then 1 else 0 end)
    from unnest($2::text[]) with ordinality n (uuid, i) order by n.i`;
  const rows = await link.run((session) => session.rows(sql, [name, uuids, worker ?? null]));
  return rows.map(([claim]) => Number(claim));
}
