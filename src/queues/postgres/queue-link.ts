import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { isLost, SILENT } from '../../core/postgres/postgres-faults.ts';

/** Connection of some queues. Its calls run one after the other: a transaction has the connection for itself. */
export interface QueueLink extends Pick<PostgresLink, 'run'> {
  /** Runs `work` in a transaction that is committed once, even if the answer to its commit is lost. */
  commit<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
}

/** Settings of the planner: each statement finds its few rows by an index, whatever the statistics say. */
const SETTINGS = 'set enable_seqscan = off; set enable_bitmapscan = off; set jit = off';

/** Returns a connection that is used by one call at a time. */
export function oneAtATime(postgres: PostgresLink): QueueLink {
  let last: Promise<unknown> = Promise.resolve();
  let prepared = 0;
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
    commit: (work) => inTurn(() => commitOnce(run, work)),
  };
}

/** Transaction whose commit was sent, with its result. */
interface Sent<T> {
  /** Id of the transaction; null if it wrote nothing. */
  readonly id: string | null | undefined;
  readonly result: T;
}

function commitOnce<T>(run: QueueLink['run'], work: (session: PostgresSession) => Promise<T>): Promise<T> {
  let sent: Sent<T> | undefined;
  return run(async (session) => {
    if (sent !== undefined && (await isCommitted(session, sent))) return sent.result;
    sent = undefined;
    await session.begin('isolation level read committed'); // the statements rely on it
    try {
      const result = await work(session);
      const [[id] = []] = await session.rows('select txid_current_if_assigned()');
      sent = { id, result };
      await session.exec('commit');
      return result;
    } catch (error) {
      if (!isLost(error)) await session.exec('rollback');
      throw error;
    }
  });
}

async function isCommitted(session: PostgresSession, { id }: Sent<unknown>): Promise<boolean> {
  if (typeof id !== 'string') return false; // it wrote nothing, so it can run again
  const [[status] = []] = await session.rows('select txid_status($1::bigint)', [id]);
  if (status === 'in progress') throw new Error(SILENT); // the server has not noticed yet that the connection is lost
  return status === 'committed';
}
