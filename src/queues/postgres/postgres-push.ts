import type { PostgresSession } from '../../core/postgres/contract.ts';
import type { Task } from '../../core/record/task.ts';
import { ATTEMPTS, type PushCounts, type PushOptions } from '../contract.ts';
import { fresh } from '../fresh-task.ts';
import { isFinished, NEXT_PLACES, placesAt, type QueueTables } from './queue-tables.ts';

/** Maximum number of attempts to add tasks that leave the queue meanwhile. */
const ROUNDS = 5;

/**
 * Adds tasks to a queue, each uuid once. With `repeat`, tasks that are in the queue are added once more after their
 * current run.
 */
export function pushTasks(
  { name, link }: QueueTables,
  tasks: readonly Task[],
  options: PushOptions,
): Promise<PushCounts> {
  if (tasks.length === 0) return Promise.resolve({ added: 0, seen: 0, done: 0 });
  return link.commit((session) => new Push(session, name, options).push(tasks));
}

/** Push in a transaction. */
class Push {
  readonly #session: PostgresSession;
  readonly #name: string;
  readonly #options: PushOptions;
  readonly #counts: PushCounts = { added: 0, seen: 0, done: 0 };

  constructor(session: PostgresSession, name: string, options: PushOptions) {
    this.#session = session;
    this.#name = name;
    this.#options = options;
  }

  async push(tasks: readonly Task[]): Promise<PushCounts> {
    let left = tasks;
    for (let round = 0; left.length > 0 && round < ROUNDS; round++) left = await this.#add(left);
    this.#counts.seen += left.length;
    return this.#counts;
  }

  /** Adds tasks. Returns tasks that were in the queue at first, and have left it since. */
  async #add(tasks: readonly Task[]): Promise<readonly Task[]> {
    const { again = false, repeat = false } = this.#options;
    const first = new Map<string, Task>();
    const later: Task[] = [];
    for (const task of tasks) {
      if (first.has(task.uuid)) later.push(task);
      else first.set(task.uuid, task);
    }
    const uuids = [...first.keys()].sort();
    if (again) await forget(this.#session, this.#name, uuids);
    const added = await this.#insert([...first.values()]);
    const done = again ? new Set<string>() : await this.#removeFinished([...added]);
    this.#counts.added += added.size - done.size;
    this.#counts.done += done.size;
    const others = uuids.filter((uuid) => !added.has(uuid));
    const states = await this.#statesOf(others);
    const isThere = ({ uuid }: Task): boolean => added.has(uuid) || states.get(uuid) === 'there';
    this.#counts.done += others.filter((uuid) => states.get(uuid) === 'finished').length;
    const gone = others.filter((uuid) => !states.has(uuid)).map((uuid) => first.get(uuid) as Task);
    const there = [
      ...others.filter((uuid) => states.get(uuid) === 'there').map((uuid) => first.get(uuid) as Task),
      ...later,
    ];
    if (!repeat) {
      this.#counts.seen += there.length;
      return gone;
    }
    return [...gone, ...(await this.#repeat(there.filter(isThere))), ...there.filter((one) => !isThere(one))];
  }

  /** Adds the tasks that are neither in the queue nor finished. Returns their uuids. */
  async #insert(tasks: readonly Task[]): Promise<ReadonlySet<string>> {
    const { front = false, priority = 0, delay = 0, attempts = ATTEMPTS, again = false } = this.#options;
    // In the order of the uuids, so that two pushes of the same tasks do not wait for each other.
    const sql = `
      insert into taskpipe_queue_tasks (queue, uuid, line, state, priority, place, due, attempts)
      select $1, n.uuid, lines.line, $4::text, $5::int, n.place,
        case when $6::float8 > 0 then now() + $6 * interval '1 ms' end, $7::int
      from ${placesAt(front ? 'front' : 'back', '$2')} n
        join unnest($2::text[], $3::text[]) lines (uuid, line) on lines.uuid = n.uuid
      where $8::boolean or not ${isFinished('n.uuid')}
      order by n.uuid collate "C" on conflict (queue, uuid) do nothing returning uuid`;
    const rows = await this.#session.rows(sql, [
      this.#name,
      tasks.map(({ uuid }) => uuid),
      tasks.map((task) => fresh(task).line),
      ...[delay > 0 ? 'delayed' : 'waiting', priority, delay, attempts, again],
    ]);
    return new Set(rows.map(([uuid]) => uuid as string));
  }

  /**
   * Removes tasks that were just added and are finished: another process settled them while the insertion waited for it,
   * and only a later statement sees its marks. Returns their uuids.
   */
  async #removeFinished(uuids: readonly string[]): Promise<ReadonlySet<string>> {
    if (uuids.length === 0) return new Set();
    const sql = `
      delete from taskpipe_queue_tasks t where queue = $1 and uuid = any($2) and ${isFinished('t.uuid')}
      returning uuid`;
    const rows = await this.#session.rows(sql, [this.#name, uuids]);
    return new Set(rows.map(([uuid]) => uuid as string));
  }

  async #statesOf(uuids: readonly string[]): Promise<ReadonlyMap<string, 'there' | 'finished'>> {
    if (uuids.length === 0) return new Map();
    const sql = `
      select n.uuid, (select true from taskpipe_queue_tasks t where t.queue = $1 and t.uuid = n.uuid),
        ${isFinished('n.uuid')}
      from unnest($2::text[]) n (uuid)`;
    const states = new Map<string, 'there' | 'finished'>();
    for (const [uuid, isThere, isFinished] of await this.#session.rows(sql, [this.#name, uuids])) {
      if (isThere === 't') states.set(uuid as string, 'there');
      else if (isFinished === 't') states.set(uuid as string, 'finished');
    }
    return states;
  }

  /** Adds tasks once more after their current run. Returns those whose run has ended. */
  async #repeat(tasks: readonly Task[]): Promise<readonly Task[]> {
    if (tasks.length === 0) return [];
    const { front = false, priority = 0, attempts = ATTEMPTS } = this.#options;
    // Locked until the end of the transaction: a process that settles one of them sees the repeat.
    const sql = `
      select uuid from taskpipe_queue_tasks where queue = $1 and uuid = any($2)
      order by uuid for update`;
    const uuids = tasks.map(({ uuid }) => uuid);
    const locked = new Set((await this.#session.rows(sql, [this.#name, uuids])).map(([uuid]) => uuid));
    const repeated = tasks.filter(({ uuid }) => locked.has(uuid));
    const insert = `
      insert into taskpipe_queue_repeats (queue, uuid, line, priority, is_front, attempts)
      select $1, uuid, line, $4::int, $5::boolean, $6::int from unnest($2::text[], $3::text[]) with ordinality n (uuid, line, i) order by i`;
    await this.#session.change(insert, [
      this.#name,
      repeated.map(({ uuid }) => uuid),
      repeated.map((task) => fresh(task).line),
      ...[priority, front, attempts],
    ]);
    await addRepeats(this.#session, this.#name, [...locked] as string[]); // some may be dead
    this.#counts.added += repeated.length;
    return tasks.filter(({ uuid }) => !locked.has(uuid));
  }
}

/** Removes the marks of tasks that are finished, and the tasks that are dead. */
async function forget(session: PostgresSession, name: string, uuids: readonly string[]): Promise<void> {
  await session.change(
    'delete from taskpipe_marks m using unnest($2::text[]) n (uuid) where m.ledger = $1 and m.uuid = n.uuid',
    [name, uuids],
  );
  await session.change(
    "delete from taskpipe_queue_tasks where queue = $1 and uuid = any($2) and state = 'dead'",
    [name, uuids],
  );
}

/** Adds the next repeat of each of these uuids whose run has ended. Call it in a transaction. */
export async function addRepeats(
  session: PostgresSession,
  name: string,
  uuids: readonly string[],
): Promise<void> {
  const find = `
    select distinct on (r.uuid) r.id, r.uuid from taskpipe_queue_repeats r
    where r.queue = $1 and r.uuid = any($2) and coalesce(
      (select t.state from taskpipe_queue_tasks t where t.queue = $1 and t.uuid = r.uuid), 'dead') = 'dead'
    order by r.uuid, r.id`;
  const found = await session.rows(find, [name, uuids]);
  if (found.length === 0) return;
  await forget(
    session,
    name,
    found.map(([, uuid]) => uuid as string),
  );
  // The queue may have got one of them meanwhile: then it runs after that run.
  const add = `
    insert into taskpipe_queue_tasks (queue, uuid, line, state, priority, place, attempts)
    select r.queue, r.uuid, r.line, 'waiting', r.priority,
      (case when r.is_front then -1 else 1 end) * ${NEXT_PLACES} + row_number() over (order by r.id), r.attempts
    from taskpipe_queue_repeats r where r.id = any($1::bigint[]) on conflict (queue, uuid) do nothing returning uuid`;
  const ids = found.map(([id]) => id);
  const added = (await session.rows(add, [ids])).map(([uuid]) => uuid);
  await session.change('delete from taskpipe_queue_repeats where id = any($1::bigint[]) and uuid = any($2)', [
    ids,
    added,
  ]);
}
