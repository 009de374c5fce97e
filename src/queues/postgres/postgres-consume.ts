import { randomUUID } from 'node:crypto';
import { counted } from '../../core/base/format.ts';
import type { PostgresCell, PostgresSession } from '../../core/postgres/contract.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import type { ConsumeOptions, Consumer, Returned } from '../contract.ts';
import { judgeCounts, WaitingSuspects } from '../suspicion.ts';
import { freeExpired, heldBy, register, removeGone } from './postgres-leases.ts';
import { buryTasks } from './postgres-settle.ts';
import { isFinished, placesAt, type QueueTables } from './queue-tables.ts';

/** Delay of a task that cannot be taken yet, in milliseconds. */
const LATER = 1000;

/** Maximum number of delayed tasks that are moved to the waiting ones together. */
const PROMOTED = 1000;

/** SQL that finds delayed tasks that are due. */
const DUE = `
  select uuid from taskpipe_queue_tasks where queue = $1 and state = 'delayed' and due <= now()
  order by due, place limit ${PROMOTED}`;

/** SQL that moves them to the waiting ones. */
const PROMOTE = `
  update taskpipe_queue_tasks t set state = 'waiting', due = null, place = n.place from ${placesAt('back', '$2')} n
  where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid and t.state = 'delayed' and t.due <= now()`;

/** Maximum size of the tasks that are taken at once, in bytes. A larger task is taken alone. */
const MOST_BYTES = 8_000_000;

/**
 * SQL that takes waiting tasks that no other transaction has locked, unless the queue is paused; fewer if they are
 * long.
 */
const TAKE = `
  with picked as materialized (
    select uuid, priority, place, octet_length(line) as size from taskpipe_queue_tasks
    where queue = $1 and state = 'waiting'
      and not exists (select from taskpipe_queue_pauses where queue = $1)
    order by priority, place limit $2 for update skip locked),
  placed as (
    select uuid, sum(size) over (order by priority, place, uuid) as upto, row_number() over (order by priority, place, uuid) as i
    from picked),
  taken as (
    update taskpipe_queue_tasks set state = 'active', worker = $3, instance = $4
    where queue = $1
      and uuid = any (array(select uuid from placed where i = 1 or upto <= ${MOST_BYTES})) returning *)
  select uuid, line, attempts, failures, deaths, group_size, alone, ${isFinished('taken.uuid')}
  from taken order by priority, place`;

/** Tasks of a batch that are not delivered. */
interface Refused {
  readonly finished: string[];
  readonly skipped: string[];
  readonly dead: { uuid: string; error: Failure }[];
  readonly suspects: { task: Task; size: number }[];
}

export async function openPostgresConsumer(queue: QueueTables, options: ConsumeOptions): Promise<Consumer> {
  const consumer = new PostgresConsumer(queue, options);
  await consumer.renew();
  return consumer;
}

class PostgresConsumer implements Consumer {
  /** Unacknowledged uuids, in the order in which they were taken. */
  readonly out: Set<string> = new Set();
  readonly #queue: QueueTables;
  readonly #options: ConsumeOptions;
  readonly #instance = randomUUID();
  readonly #suspects = new WaitingSuspects();
  /** True while a group of suspects is in flight. */
  #isTrial = false;
  /** Settled tasks that `returned()` has not reported yet. */
  #news: { uuids: string[]; isEnd: boolean } = { uuids: [], isEnd: false };
  /** Number of the connection by which the tasks of this consumer are known; 0 before the first one. */
  #connection = 0;
  /** True after an error: the server may have assigned tasks to this consumer without its knowledge. */
  #isUnsure = false;
  /** True if another connection was made since the last report. */
  #isBack = false;
  /** Time of the last renewal, by the clock of this process. */
  #renewed = Number.NEGATIVE_INFINITY;

  constructor(queue: QueueTables, options: ConsumeOptions) {
    this.#queue = queue;
    this.#options = options;
  }

  async take(count: number, skip: (uuid: string) => boolean = () => false): Promise<readonly Task[]> {
    if (performance.now() - this.#renewed > this.#options.lease / 2) await this.renew();
    // Suspects run with nothing else in flight, so no other tasks are taken meanwhile.
    if (this.out.size > 0 && (this.#isTrial || this.#suspects.size > 0)) return [];
    this.#isTrial = this.#suspects.size > 0;
    const tasks = await this.#run(async (session) => {
      if (this.#isTrial) return this.#takeGroup(session);
      const taken = await this.#takeTasks(session, count, skip);
      // One suspect often comes with others, which may run in its group.
      const more = taken.length === 0 ? this.#suspects.missing : 0;
      return more > 0 ? this.#takeTasks(session, more, skip) : taken;
    });
    for (const { uuid } of tasks) this.out.add(uuid);
    return tasks;
  }

  async #takeTasks(
    session: PostgresSession,
    count: number,
    skip: (uuid: string) => boolean,
  ): Promise<readonly Task[]> {
    const { name } = this.#queue;
    const due = await session.rows(DUE, [name]);
    if (due.length > 0) await session.change(PROMOTE, [name, due.map(([uuid]) => uuid)]);
    const rows = await session.rows(TAKE, [name, count, this.#options.worker, this.#instance]);
    if (rows.length === 0) return [];
    if (rows.some(([uuid]) => this.#isOurs(uuid as string)))
      await this.#readNews(session, new Set(rows.map(([uuid]) => uuid as string)));
    const refused: Refused = { finished: [], skipped: [], dead: [], suspects: [] };
    const tasks = rows.map((row) => this.#accept(row, skip, refused)).filter((task) => task !== undefined);
    await this.#refuse(session, refused);
    return tasks;
  }

  /** Returns the task of a row that was taken; undefined if it must not be run now. */
  #accept(row: readonly PostgresCell[], skip: (uuid: string) => boolean, refused: Refused): Task | undefined {
    const [uuid, line, attempts, failures, deaths, group, alone, isFinished] = row as readonly string[];
    if (uuid === undefined || line === undefined) return undefined;
    const task = parseTask(line);
    if (!(task instanceof Task) || task.uuid !== uuid) {
      const message = 'the row is not a task; another program may have added it';
      refused.dead.push({ uuid, error: { code: 'TASK', message } });
      return undefined;
    }
    // It was redelivered although it is not settled, as after a lost lease: it is still running here.
    if (this.#isOurs(uuid)) return undefined;
    if (isFinished === 't') refused.finished.push(uuid);
    else if (skip(uuid)) refused.skipped.push(uuid);
    else {
      const [of, many, together, single, most] = [failures, deaths, group, alone, attempts].map(Number);
      const judgement = judgeCounts({
        ...{ failures: of as number, deaths: many as number, group: together as number },
        ...{ alone: single as number, attempts: most as number },
      });
      if ('alone' in judgement) {
        const message = `its worker died or lost its connection ${counted(judgement.alone, 'time')} while it had only this task`;
        refused.dead.push({ uuid, error: { code: 'LEASE', message } });
      } else if (judgement.size === Number.POSITIVE_INFINITY) return task;
      else refused.suspects.push({ task, size: judgement.size });
    }
    return undefined;
  }

  async #refuse(session: PostgresSession, { finished, skipped, dead, suspects }: Refused): Promise<void> {
    const { name } = this.#queue;
    for (const { task, size } of suspects) this.#suspects.add(task, size);
    if (finished.length > 0)
      await session.change(
        "delete from taskpipe_queue_tasks where queue = $1 and uuid = any($2) and state = 'active'",
        [name, finished],
      );
    if (skipped.length > 0)
      await session.change(
        `update taskpipe_queue_tasks set state = 'delayed', due = now() + $3 * interval '1 ms'
          where queue = $1 and uuid = any($2) and state = 'active'`,
        [name, skipped, LATER],
      );
    await buryTasks(session, name, dead, 0);
  }

  /** Takes the next group of suspects, and records its size before it is delivered. */
  async #takeGroup(session: PostgresSession): Promise<readonly Task[]> {
    const group = this.#suspects.nextGroup();
    await session.change(
      `update taskpipe_queue_tasks set group_size = $4::int, alone = alone + case when $4 = 1 then 1 else 0 end
        where queue = $1 and instance = $2 and state = 'active' and uuid = any($3)`,
      [this.#queue.name, this.#instance, group.map(({ uuid }) => uuid), group.length],
    );
    for (const { uuid } of group) this.#suspects.delete(uuid);
    return group;
  }

  /** Returns whether this consumer has a task: in flight, or waiting for its delivery alone. */
  #isOurs(uuid: string): boolean {
    return this.out.has(uuid) || this.#suspects.has(uuid);
  }

  async returned(): Promise<Returned> {
    await this.#run((session) => this.#readNews(session));
    const returned = { ...this.#news, isBack: this.#isBack };
    this.#news = { uuids: [], isEnd: false };
    this.#isBack = false;
    return returned;
  }

  /** Reads which tasks were settled or lost. @param taken tasks that were taken since: they are not lost */
  async #readNews(session: PostgresSession, taken: ReadonlySet<string> = new Set()): Promise<void> {
    const sql = `
      with read as (delete from taskpipe_queue_news where instance = $1 returning id, uuids, is_lost)
      select array_to_json(uuids), is_lost from read order by id`;
    for (const [text, isLost] of await session.rows(sql, [this.#instance])) {
      const uuids = JSON.parse(text ?? '[]') as string[];
      if (isLost === 'f') this.#noteSettled(uuids);
      else this.#lose(uuids.filter((uuid) => !taken.has(uuid)));
      if (uuids.length === 0) this.#news.isEnd = true;
    }
  }

  #noteSettled(uuids: readonly string[]): void {
    for (const uuid of uuids) {
      if (this.out.delete(uuid)) this.#news.uuids.push(uuid);
      else this.#suspects.delete(uuid);
    }
  }

  #lose(uuids: readonly string[]): void {
    for (const uuid of uuids) {
      this.out.delete(uuid);
      this.#suspects.delete(uuid);
    }
  }

  async isHeardOf(): Promise<boolean> {
    const sql = 'select from taskpipe_queue_names where queue = $1 and worker = $2 and settling > now()';
    const values = [this.#queue.name, this.#options.worker];
    return (await this.#queue.link.run((session) => session.rows(sql, values))).length > 0;
  }

  async renew(): Promise<void> {
    const { name, link } = this.#queue;
    const { worker, lease } = this.#options;
    const isNew = await this.#run((session) =>
      register(session, name, { instance: this.#instance, worker, lease }),
    );
    this.#renewed = performance.now();
    // Another worker has removed this one as dead, with its news.
    if (isNew && this.out.size + this.#suspects.size > 0)
      await this.#run((session) => this.#compare(session));
    await link.commit((session) => freeExpired(session, name));
    await link.run((session) => removeGone(session, name));
    await this.#run((session) => this.#readNews(session));
  }

  /**
   * Runs `work`. After a lost connection or an error, replies may be missing: the tasks of this consumer are compared
   * first.
   */
  #run<T>(work: (session: PostgresSession) => Promise<T>): Promise<T> {
    return this.#queue.link.run(async (session) => {
      const isNew = this.#connection !== session.number;
      if ((isNew && this.#connection !== 0) || this.#isUnsure) {
        await this.#compare(session);
        if (isNew) this.#isBack = true;
      }
      this.#connection = session.number;
      this.#isUnsure = true;
      const result = await work(session);
      this.#isUnsure = false;
      return result;
    });
  }

  /**
   * Returns tasks to the queue that this consumer has without its knowledge, and forgets those that it does not have
   * any more.
   */
  async #compare(session: PostgresSession): Promise<void> {
    const { name } = this.#queue;
    await this.#readNews(session);
    const held = new Set(await heldBy(session, name, this.#instance));
    const unheard = [...held].filter((uuid) => !this.#isOurs(uuid));
    await this.#putBack(session, unheard, 'front');
    // Settled, as far as this process knows.
    this.#noteSettled([...this.out, ...this.#suspects.uuids].filter((uuid) => !held.has(uuid)));
  }

  async #putBack(session: PostgresSession, uuids: readonly string[], where: 'front' | 'back'): Promise<void> {
    if (uuids.length === 0) return;
    const sql = `
      update taskpipe_queue_tasks t set state = 'waiting', place = n.place from ${placesAt(where, '$3')} n
      where t.queue = $1 and t.uuid = any($3) and t.uuid = n.uuid and t.state = 'active' and t.instance = $2`;
    await session.change(sql, [this.#queue.name, this.#instance, uuids]);
  }

  async greet(): Promise<boolean> {
    const sql = 'update taskpipe_queue_workers set seen = now() where instance = $1 returning is_to_stop';
    const [[isToStop] = []] = await this.#queue.link.run((session) => session.rows(sql, [this.#instance]));
    return isToStop === 't';
  }

  async isEmpty(): Promise<boolean> {
    const of = (state: string): string =>
      `exists (select from taskpipe_queue_tasks where queue = $1 and state = '${state}')`;
    const sql = `select ${['waiting', 'delayed', 'active'].map(of).join(' or ')}
      or exists (select from taskpipe_queue_repeats where queue = $1)`;
    const [[hasSome] = []] = await this.#queue.link.run((session) => session.rows(sql, [this.#queue.name]));
    return hasSome === 'f';
  }

  async giveBack(isSuspect: (uuid: string) => boolean = () => false): Promise<number> {
    if (this.#isUnsure) await this.#run(async () => {});
    const uuids = [...this.out];
    const dead = uuids.filter(isSuspect);
    const others = [...uuids.filter((uuid) => !isSuspect(uuid)), ...this.#suspects.uuids];
    await this.#queue.link.commit(async (session) => {
      await this.#countDeath(session, dead);
      // They go behind other tasks, whose success shows that the pipe works.
      await this.#putBack(session, dead, 'back');
      await this.#putBack(session, others, 'front');
    });
    const count = uuids.length + this.#suspects.size;
    this.out.clear();
    this.#suspects.clear();
    return count;
  }

  /** Counts the death of a process against the tasks that were in flight together. */
  async #countDeath(session: PostgresSession, uuids: readonly string[]): Promise<void> {
    if (uuids.length === 0) return;
    const sql = `
      update taskpipe_queue_tasks t set group_size = $4::int, finished_then = coalesce(finished_then, f.finished),
        deaths = deaths + case when finished_then is null or f.finished > finished_then then 1 else 0.5 end
      from (select count(*) as finished from taskpipe_marks where ledger = $1 and finished) f
      where queue = $1 and instance = $2 and state = 'active' and uuid = any($3)`;
    await session.change(sql, [this.#queue.name, this.#instance, uuids, uuids.length]);
  }

  async close(): Promise<void> {
    // It is no longer listed; its tasks keep their lease.
    const sql = "update taskpipe_queue_workers set seen = '-infinity' where instance = $1";
    await this.#queue.link.run((session) => session.change(sql, [this.#instance]));
  }
}
