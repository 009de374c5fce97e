import type { PostgresSettings } from '../../core/postgres/contract.ts';
import type { PostgresAddress } from '../../core/postgres/postgres-address.ts';
import { openPostgres } from '../../core/postgres/postgres-link.ts';
import type { Queue, Queues } from '../contract.ts';
import { openPostgresConsumer } from './postgres-consume.ts';
import { clearQueue, deadTasks, moveToFront, removeTasks, retryDead, retryThese } from './postgres-dead.ts';
import { GONE } from './postgres-leases.ts';
import { pushTasks } from './postgres-push.ts';
import { chargeQuotas, correctQuotas, removeOldLanes, takeTurn } from './postgres-rates.ts';
import { PostgresSettlement } from './postgres-settle.ts';
import { causesOf, claimsOf, latencyOf, sizeOf } from './postgres-size.ts';
import { oneAtATime } from './queue-link.ts';
import { makeQueueTables, type QueueTables } from './queue-tables.ts';

/** Opens queues of these names, and creates their tables. @throws {TaskpipeError} `IO` if the server cannot be reached */
export async function openPostgresQueues(
  address: PostgresAddress,
  names: readonly string[],
  settings: PostgresSettings,
): Promise<Queues> {
  const postgres = openPostgres(address, settings);
  const link = oneAtATime(postgres);
  try {
    await link.commit(makeQueueTables);
  } catch (error) {
    await postgres.close();
    throw error;
  }
  let cleaned: Promise<void> | undefined;
  /**
   * Removes old lanes once, in a process that uses lanes, so that a user who only reads needs no permission to write.
   */
  const clean = (): Promise<void> => {
    cleaned ??= removeOldLanes(link);
    return cleaned;
  };
  return {
    all: names.map((name) => queueOf({ name, link })),
    place: address.place,
    turn: (lane, rate) => clean().then(() => takeTurn(link, lane, rate)),
    charge: (lane, asker, charges) => clean().then(() => chargeQuotas(link, lane, asker, charges)),
    correct: (lane, corrections) => correctQuotas(link, lane, corrections),
    close: () => postgres.close(),
  };
}

function queueOf(queue: QueueTables): Queue {
  const { name, link } = queue;
  const settlement = new PostgresSettlement(queue);
  const change = async (sql: string): Promise<void> =>
    void (await link.run((session) => session.change(sql, [name])));
  return {
    name,
    push: (tasks, options = {}) => pushTasks(queue, tasks, options),
    settle: (verdicts, options = {}) => settlement.settle(verdicts, options),
    claims: (uuids, worker) => claimsOf(queue, uuids, worker),
    keepSettling: (worker) => settlement.keep(worker),
    endSettling: (worker) => settlement.end(worker),
    consume: (options) => openPostgresConsumer(queue, options),
    size: () => sizeOf(queue),
    causes: () => causesOf(queue),
    latency: () => latencyOf(queue),
    dead: () => deadTasks(queue),
    retry: () => retryDead(queue),
    retryThese: (uuids) => retryThese(queue, uuids),
    remove: (uuids) => removeTasks(queue, uuids),
    front: (uuids) => moveToFront(queue, uuids),
    clear: () => clearQueue(queue),
    pause: () => change('insert into taskpipe_queue_pauses values ($1) on conflict do nothing'),
    resume: () => change('delete from taskpipe_queue_pauses where queue = $1'),
    async isPaused() {
      const sql = 'select from taskpipe_queue_pauses where queue = $1';
      return (await link.run((session) => session.rows(sql, [name]))).length > 0;
    },
    stop(worker) {
      const sql = `
        update taskpipe_queue_workers set is_to_stop = true
        where queue = $1 and seen > now() - ${GONE} and ($2::text is null or worker = $2)`;
      return link.run((session) => session.change(sql, [name, worker ?? null]));
    },
  };
}
