import type { PostgresSession } from '../../core/postgres/contract.ts';
import type { ConsumeOptions } from '../contract.ts';
import { IS_LEASED, placesAt } from './queue-tables.ts';

/*
 * Leases. A consumer has one lease for all its tasks, in its row of `taskpipe_queue_workers`, so that a renewal
 * writes one row. Once it has expired, any other consumer returns its tasks to the queue.
 */

/** Time after its last sign of life at which a worker is considered gone, as an interval of SQL. */
export const GONE = "interval '15 s'";

/** Renews the lease of a consumer, or registers the consumer. Returns true if it was not registered before. */
export async function register(
  session: PostgresSession,
  name: string,
  { instance, worker, lease }: ConsumeOptions & { readonly instance: string },
): Promise<boolean> {
  const know = `
    insert into taskpipe_queue_names (queue, worker, known) values ($1, $2, now())
    on conflict (queue, worker) do update set known = excluded.known`;
  await session.change(know, [name, worker]);
  const renew = `
    insert into taskpipe_queue_workers as w (instance, queue, worker, lease, until, seen, is_to_stop)
    values ($1, $2, $3, $4::int, now() + $4 * interval '1 ms', now(), false)
    on conflict (instance) do update set until = excluded.until, seen = excluded.seen
    returning xmax = 0`;
  const [[isNew] = []] = await session.rows(renew, [instance, name, worker, lease]);
  return isNew === 't';
}

/** Returns the uuids of the tasks that a consumer has. */
export async function heldBy(
  session: PostgresSession,
  name: string,
  instance: string,
): Promise<readonly string[]> {
  const sql = "select uuid from taskpipe_queue_tasks where queue = $1 and instance = $2 and state = 'active'";
  return (await session.rows(sql, [name, instance])).map(([uuid]) => uuid as string);
}

/**
 * Returns the tasks of consumers with an expired lease to the queue, and notifies these consumers. Call it in a
 * transaction.
 */
export async function freeExpired(session: PostgresSession, name: string): Promise<void> {
  const find = `
    select uuid, instance from taskpipe_queue_tasks t where queue = $1 and state = 'active' and not ${IS_LEASED}
    order by place for update skip locked`;
  const expired = await session.rows(find, [name]);
  if (expired.length === 0) return;
  const free = `
    update taskpipe_queue_tasks t set state = 'waiting', deaths = deaths + 1, place = n.place
    from ${placesAt('front', '$2')} n where t.queue = $1 and t.uuid = any($2) and t.uuid = n.uuid`;
  await session.change(free, [name, expired.map(([uuid]) => uuid)]);
  const tell = `
    insert into taskpipe_queue_news (instance, uuids, is_lost)
    select instance, array_agg(uuid), true from unnest($1::text[], $2::text[]) n (instance, uuid)
    where instance is not null group by instance`;
  await session.change(tell, [expired.map(([, instance]) => instance), expired.map(([uuid]) => uuid)]);
}

/** Removes consumers that are gone and have no tasks, with their news, and names and receipts that no process uses. */
export async function removeGone(session: PostgresSession, name: string): Promise<void> {
  await session.change(
    `delete from taskpipe_queue_workers w where queue = $1 and until < now() - ${GONE} and seen < now() - ${GONE}
      and not exists (select from taskpipe_queue_tasks t
        where t.queue = $1 and t.instance = w.instance and t.state = 'active')`,
    [name],
  );
  await session.change(
    `delete from taskpipe_queue_news n
      where not exists (select from taskpipe_queue_workers w where w.instance = n.instance)`,
  );
  await session.change(
    `delete from taskpipe_queue_names where queue = $1
      and coalesce(known, '-infinity') < now() - interval '1 day' and coalesce(settling, '-infinity') < now()`,
    [name],
  );
  await session.change("delete from taskpipe_queue_commits where at < now() - interval '1 day'");
}
