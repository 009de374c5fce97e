import { TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import type { PostgresAddress } from '../../core/postgres/postgres-address.ts';
import { declaredTable, RECORD, TABLE, tableName } from '../../core/postgres/postgres-table.ts';
import type { Ledger } from '../contract.ts';

/** Number of uuids that are read at a time. */
const BATCH = 10_000;

/** Returns a ledger that reads a table of `task-save`: tasks with a row that did not fail are finished. */
export function rowsLedger(address: PostgresAddress, open: () => Promise<PostgresLink>): Ledger {
  const { place, table = TABLE } = address;
  const list = (): AsyncGenerator<readonly string[]> => listRows(open, place, table);
  const finished = async (): Promise<IdSet> => {
    const ids = new IdSet();
    for await (const uuids of list()) for (const uuid of uuids) ids.add(uuid);
    return ids;
  };
  const refuse = (what: string): never => {
    throw new TaskpipeError(
      'USAGE',
      `${place} names no list of uuids, so that the rows of its table ${table} say what is finished: ${what}; task-save writes it, or add ?ledger=NAME`,
    );
  };
  return {
    ...{ place, finished, list },
    history: async () => refuse('it cannot be the ledger of another output'),
    rowsIn: () => refuse('it cannot be the ledger of another output'),
    open: async () => refuse('no uuid can be marked without its row'),
    async check() {
      const { size } = await finished();
      return { lines: size, bad: 0, finished: size, undone: 0 };
    },
    compact: async () => refuse('there is nothing to compact'),
    clear: async () => refuse('it is not cleared from here'),
  };
}

/** Lists the finished uuids. A database without the table counts as empty. */
async function* listRows(
  open: () => Promise<PostgresLink>,
  place: string,
  table: string,
): AsyncGenerator<readonly string[]> {
  const link = await open();
  try {
    const query = (session: PostgresSession) => queryFor(session, place, table);
    for await (const rows of link.read(query, BATCH)) yield rows.map(([uuid]) => uuid as string);
  } finally {
    await link.close();
  }
}

async function queryFor(session: PostgresSession, place: string, table: string): Promise<string | undefined> {
  const sql = tableName(table);
  const found = await declaredTable(session, sql);
  if (found === undefined) return undefined;
  const has = (name: string): boolean => found.columns.some((column) => column.name === name);
  if (!has('uuid'))
    throw new TaskpipeError('DATA', `${place}: its table ${table} has no column uuid, so it is not a ledger`);
  const state = has('state') ? 'state' : has(RECORD) ? `${RECORD} #>> '{run,state}'` : undefined;
  const all = `select uuid::text from ${sql}`;
  return found.isOurs && state !== undefined ? `${all} where coalesce(${state}, 'SUCCESS') = 'SUCCESS'` : all;
}
