import type { PostgresSession } from '../../core/postgres/contract.ts';
import { hasOwnTables, type TableShapes } from '../../core/postgres/own-tables.ts';
import { makeLedgerTables } from '../../core/postgres/postgres-marks.ts';
import type { QueueLink } from './queue-link.ts';

/*
 * Tables of all queues of a database, in its default schema. All times are those of the server. Finished tasks are in
 * `taskpipe_marks`, the table of ledgers, under the name of the queue.
 */

/**
 * SQL of the tables. The index of uuids does not begin with the queue: a queue grows to millions of rows before the
 * server has statistics, and a plan would read all of them to find some. `place` orders tasks of one priority.
 * `instance` is the consumer that has an active task, else the last one that had it. `deaths`, `finished_then`,
 * `group_size` and `alone` are about suspects; see `suspicion.ts`.
 */
const TABLES = `
  create sequence if not exists taskpipe_queue_places;
  create table if not exists taskpipe_queue_tasks (
    queue text collate "C" not null, uuid text collate "C" not null, line text not null,
    state text collate "C" not null check (state in ('waiting', 'delayed', 'active', 'dead')),
    priority integer not null, place bigint not null, due timestamptz, added timestamptz not null default now(),
    attempts integer not null, failures integer not null default 0,
    deaths double precision not null default 0, finished_then bigint,
    group_size integer not null default 0, alone integer not null default 0,
    worker text collate "C", instance text collate "C", died timestamptz, code text, message text,
    primary key (uuid, queue)
  ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.1);
  create index if not exists taskpipe_queue_waiting on taskpipe_queue_tasks (queue, priority, place)
    where state = 'waiting';
  create index if not exists taskpipe_queue_delayed on taskpipe_queue_tasks (queue, due) where state = 'delayed';
  create index if not exists taskpipe_queue_active on taskpipe_queue_tasks (queue, instance) where state = 'active';
  create index if not exists taskpipe_queue_dead on taskpipe_queue_tasks (queue, died, uuid) where state = 'dead';
  create table if not exists taskpipe_queue_repeats (
    id bigint generated always as identity primary key,
    queue text collate "C" not null, uuid text collate "C" not null, line text not null,
    priority integer not null, is_front boolean not null, attempts integer not null);
  create index if not exists taskpipe_queue_repeats_by_uuid on taskpipe_queue_repeats (uuid, queue);
  create table if not exists taskpipe_queue_workers (
    instance text collate "C" primary key, queue text collate "C" not null, worker text collate "C" not null,
    lease integer not null, until timestamptz not null, seen timestamptz not null, is_to_stop boolean not null);
  create table if not exists taskpipe_queue_names (
    queue text collate "C" not null, worker text collate "C" not null, known timestamptz, settling timestamptz,
    primary key (queue, worker));
  create table if not exists taskpipe_queue_news (
    id bigint generated always as identity primary key,
    instance text collate "C" not null, uuids text[] not null, is_lost boolean not null);
  create table if not exists taskpipe_queue_commits (
    link text collate "C" primary key, number bigint not null, at timestamptz not null);
  create table if not exists taskpipe_queue_pauses (queue text collate "C" primary key);
  create table if not exists taskpipe_rates (lane text collate "C" primary key, following timestamptz not null);
  create table if not exists taskpipe_quotas (
    lane text collate "C" primary key, charges text not null, asker text, asked_until timestamptz,
    lasts timestamptz not null)`;

const SHAPES: TableShapes = {
  taskpipe_queue_tasks: [
    ...[
      'queue',
      'uuid',
      'line',
      'state',
      'priority',
      'place',
      'due',
      'added',
      'attempts',
      'failures',
      'deaths',
    ],
    ...['finished_then', 'group_size', 'alone', 'worker', 'instance', 'died', 'code', 'message'],
  ],
  taskpipe_queue_repeats: ['id', 'queue', 'uuid', 'line', 'priority', 'is_front', 'attempts'],
  taskpipe_queue_workers: ['instance', 'queue', 'worker', 'lease', 'until', 'seen', 'is_to_stop'],
  taskpipe_queue_names: ['queue', 'worker', 'known', 'settling'],
  taskpipe_queue_news: ['id', 'instance', 'uuids', 'is_lost'],
  taskpipe_queue_commits: ['link', 'number', 'at'],
  taskpipe_queue_pauses: ['queue'],
  taskpipe_rates: ['lane', 'following'],
  taskpipe_quotas: ['lane', 'charges', 'asker', 'asked_until', 'lasts'],
};

/**
 * Creates the tables of queues, and those of ledgers, unless they exist. Call it in a transaction.
 * @throws {TaskpipeError} `DATA` if another program has a table of that name
 */
export async function makeQueueTables(session: PostgresSession): Promise<void> {
  const areThere = await hasOwnTables(session, SHAPES);
  await makeLedgerTables(session);
  if (areThere) return; // a user who may not create tables may still use them
  // One process at a time creates them: two at once would fail with a duplicate name.
  await session.rows("select pg_advisory_xact_lock(hashtext('taskpipe queues'))");
  await session.exec(TABLES);
}

/** One queue with its connection, as the functions of this folder share it. */
export interface QueueTables {
  readonly name: string;
  readonly link: QueueLink;
}

/**
 * SQL condition that an active task `t` has a lease. After a downtime, the server must not end the leases of workers
 * that could not renew them.
 */
export const IS_LEASED = `exists (
  select from taskpipe_queue_workers w where w.instance = t.instance
    and greatest(w.until, pg_postmaster_start_time() + w.lease * interval '1 ms') > now())`;

/** SQL of the start of a block of places, which is the same for all rows of a statement: a subquery runs once. */
export const NEXT_PLACES = "(select nextval('taskpipe_queue_places') * 1000000)";

/** Returns SQL that assigns tasks places at an end of the queue: rows `n (uuid, place)` for an array of uuids. */
export function placesAt(where: 'front' | 'back', uuids: string): string {
  // The first of an array is the first in the queue, at both ends.
  const base = where === 'front' ? `-${NEXT_PLACES}` : NEXT_PLACES;
  return `(select uuid, ${base} + i as place from unnest(${uuids}::text[]) with ordinality u (uuid, i))`;
}

/**
 * Returns the SQL condition that a task of the queue `$1` is finished: a subquery, which is never planned as a join.
 */
export function isFinished(uuid: string): string {
  return `coalesce((select m.finished from taskpipe_marks m where m.ledger = $1 and m.uuid = ${uuid}), false)`;
}

/** SQL that removes the marks of a suspect after a verdict: its worker survived the task. */
export const NO_MARKS = 'deaths = 0, finished_then = null, group_size = 0, alone = 0';

/** Returns text that the server can store: text of PostgreSQL has no NUL. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd');
}
