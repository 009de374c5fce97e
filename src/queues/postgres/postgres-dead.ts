import { parseTask } from '../../core/record/ndjson.ts';
import { Task } from '../../core/record/task.ts';
import type { DeadTask } from '../contract.ts';
import { NO_MARKS, placesAt, type QueueTables } from './queue-tables.ts';

const PAGE = 1000;

/** Yields the dead tasks, oldest first, and the dead rows that are not tasks. */
export async function* deadTasks({ name, link }: QueueTables): AsyncGenerator<readonly DeadTask[]> {
  const sql = `
    select uuid, line, failures + ceil(deaths), died, extract(epoch from died) * 1000, code, message
    from taskpipe_queue_tasks where queue = $1 and state = 'dead' and (died, uuid) > ($2::timestamptz, $3)
    order by died, uuid limit ${PAGE}`;
  for (let last = ['-infinity', '']; ; ) {
    const rows = await link.run((session) => session.rows(sql, [name, ...last]));
    if (rows.length === 0) return;
    yield rows.map(
      ([uuid, line, deliveries, , at, code, message]): DeadTask => ({
        task: taskOf(uuid as string, line as string),
        deliveries: Number(deliveries),
        at: Math.floor(Number(at)),
        error: { code: code ?? 'QUEUE', message: message ?? '' },
      }),
    );
    const [uuid, , , died] = rows.at(-1) as readonly string[];
    last = [died as string, uuid as string];
  }
}

/** Returns the task of a dead row. A row of another program that is not a task has its data as `job`. */
function taskOf(uuid: string, line: string): Task {
  const task = parseTask(line);
  if (task instanceof Task && task.uuid === uuid) return task;
  return new Task(uuid, JSON.stringify({ uuid, job: jsonOf(line) }));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** SQL that finds dead tasks, the oldest first. */
const DEAD = `
  select uuid from taskpipe_queue_tasks where queue = $1 and state = 'dead' and ($2::text[] is null or uuid = any($2))
  order by died, uuid limit $3 for update`;

const RETRY = `
  update taskpipe_queue_tasks t set state = 'waiting', failures = 0, ${NO_MARKS}, place = n.place,
    died = null, code = null, message = null
  from ${placesAt('back', '$2')} n where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid`;

/** Returns some dead tasks to the queue: the oldest, or those with these uuids. Returns their uuids. */
async function retrySome(
  { name, link }: QueueTables,
  uuids: readonly string[] | undefined,
  count: number,
): Promise<readonly string[]> {
  return link.commit(async (session) => {
    const dead = (await session.rows(DEAD, [name, uuids ?? null, count])).map(([uuid]) => uuid as string);
    if (dead.length > 0) await session.change(RETRY, [name, dead]);
    return dead;
  });
}

/** Returns all dead tasks to the queue. Returns their number. */
export async function retryDead(queue: QueueTables): Promise<number> {
  for (let count = 0; ; ) {
    const { length } = await retrySome(queue, undefined, PAGE);
    if (length === 0) return count;
    count += length;
  }
}

/** Returns the dead tasks with these uuids to the queue. Returns their uuids. */
export async function retryThese(queue: QueueTables, uuids: readonly string[]): Promise<readonly string[]> {
  const retried = new Set(await retrySome(queue, uuids, uuids.length));
  return uuids.filter((uuid) => retried.has(uuid));
}

/** Removes tasks that no worker has. Returns their uuids. */
export async function removeTasks(
  { name, link }: QueueTables,
  uuids: readonly string[],
): Promise<readonly string[]> {
  const sql = `
    with gone as (
      delete from taskpipe_queue_tasks where queue = $1 and uuid = any($2) and state <> 'active' returning uuid),
    repeats as (
      delete from taskpipe_queue_repeats where queue = $1 and uuid in (select uuid from gone))
    select uuid from gone`;
  const rows = await link.run((session) => session.rows(sql, [name, uuids]));
  return inOrder(uuids, rows);
}

/** Moves waiting tasks to the front. Returns their uuids. */
export async function moveToFront(
  { name, link }: QueueTables,
  uuids: readonly string[],
): Promise<readonly string[]> {
  const sql = `
    update taskpipe_queue_tasks t set priority = 0, place = n.place from ${placesAt('front', '$2')} n
    where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid and t.state = 'waiting' returning t.uuid`;
  const rows = await link.run((session) => session.rows(sql, [name, uuids]));
  return inOrder(uuids, rows);
}

function inOrder(uuids: readonly string[], rows: readonly (readonly unknown[])[]): readonly string[] {
  const found = new Set(rows.map(([uuid]) => uuid));
  return uuids.filter((uuid) => found.has(uuid));
}

/** Removes all tasks of a queue, and notifies the workers that have some. */
export async function clearQueue({ name, link }: QueueTables): Promise<void> {
  await link.commit(async (session) => {
    await session.change('delete from taskpipe_queue_repeats where queue = $1', [name]);
    const sql = `
      with gone as (delete from taskpipe_queue_tasks where queue = $1 returning uuid, state, instance)
      insert into taskpipe_queue_news (instance, uuids, is_lost)
      select instance, array_agg(uuid), true from gone where state = 'active' and instance is not null group by instance`;
    await session.change(sql, [name]);
  });
}
