import { randomUUID } from 'node:crypto';
import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { isLost, SILENT } from '../../core/postgres/postgres-faults.ts';

/**
 * Connection of some queues. Its calls run one after the other, so that each transaction has exclusive use of the
 * connection.
 */
export interface QueueLink extends Pick<PostgresLink, 'run'> {
  /**
   * Runs `work` in a transaction that is committed once, even if the answer to its commit is lost. The tables of queues
   * must exist, or be made by `work`.
   */
  commit<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
}

/** Settings of the planner: each statement finds its few rows by an index, whatever the statistics say. */
const SETTINGS = 'set enable_seqscan = off; set enable_bitmapscan = off; set jit = off';

/** Returns a connection that is used by one call at a time. */
export function oneAtATime(postgres: PostgresLink): QueueLink {
  let last: Promise<unknown> = Promise.resolve();
  let prepared = 0;
  const receipts = { link: randomUUID(), count: 0 };
  const run: QueueLink['run'] = (work) =>
    postgres.run(async (session) => {
      if (session.number !== prepared) await session.exec(SETTINGS);
      prepared = session.number;
      return work(session);
    });
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
  return {
    run: (work) => inTurn(() => run(work)),
    commit: (work) => inTurn(() => commitOnce(run, work, receipts)),
  };
}

/** Row of `taskpipe_queue_commits` that each transaction of a connection changes. */
interface Receipts {
  readonly link: string;
  /** Number of transactions that wrote something. */
  count: number;
}

/** Transaction with a sent commit, and its result. */
interface Sent<T> {
  /** Id of the transaction; undefined if it wrote nothing. */
  readonly id: string | undefined;
  /** Number of its receipt. */
  readonly number: number;
  readonly result: T;
}

function commitOnce<T>(
  run: QueueLink['run'],
  work: (session: PostgresSession) => Promise<T>,
  receipts: Receipts,
): Promise<T> {
  let sent: Sent<T> | undefined;
  return run(async (session) => {
    if (sent !== undefined && (await isCommitted(session, sent, receipts))) return sent.result;
    sent = undefined;
    await session.begin('isolation level read committed'); // the statements rely on it
    try {
      const result = await work(session);
      const [[id] = []] = await session.rows('select txid_current_if_assigned()');
      if (typeof id === 'string') await session.change(RECEIPT, [receipts.link, ++receipts.count]);
      sent = { id: id ?? undefined, number: receipts.count, result };
      await session.exec('commit');
      return result;
    } catch (error) {
      if (!isLost(error)) await session.exec('rollback');
      throw error;
    }
  });
}

const RECEIPT = `
  insert into taskpipe_queue_commits (link, number, at) values ($1, $2, now())
  on conflict (link) do update set number = excluded.number, at = excluded.at`;

/**
 * Returns whether a transaction was committed. Its receipt proves that. The state of its id does not: after a crash,
 * the server reuses the ids of transactions that it had not written to the disk.
 */
async function isCommitted(
  session: PostgresSession,
  { id, number }: Sent<unknown>,
  { link }: Receipts,
): Promise<boolean> {
  if (id === undefined) return false; // it wrote nothing, so it can run again
  // An id that was not given yet would be an error.
  const state = `select case when $1::bigint < txid_snapshot_xmax(txid_current_snapshot()) then txid_status($1::bigint) end`;
  const [[status] = []] = await session.rows(state, [id]);
  if (status === 'in progress') throw new Error(SILENT); // the server has not noticed yet that the connection is lost
  const [[last] = []] = await session.rows('select number from taskpipe_queue_commits where link = $1', [
    link,
  ]);
  return Number(last ?? 0) === number;
}
