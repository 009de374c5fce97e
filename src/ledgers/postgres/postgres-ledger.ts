import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { type PostgresAddress, postgresAddress } from '../../core/postgres/postgres-address.ts';
import { hasLedgerTables, makeLedgerTables } from '../../core/postgres/postgres-marks.ts';
import { sqlText } from '../../core/postgres/postgres-table.ts';
import { realPath } from '../../core/storage/durable.ts';
import type {
  Condition,
  Entry,
  Ledger,
  LedgerSettings,
  LedgerWriter,
  OutputHistory,
  Seal,
} from '../contract.ts';
import { addEntries, knowOutput } from './ledger-tables.ts';
import { rowsLedger } from './rows-ledger.ts';

/** Number of uuids that are read at a time. */
const BATCH = 10_000;

/**
 * Returns a ledger in PostgreSQL: `postgres://host/db?ledger=NAME` is a separate list of uuids; without a name, tasks
 * with a row in a table of task-save are finished.
 * @param warn writes a line to stderr
 * @throws {TaskpipeError} `USAGE` if the place is an invalid url
 */
export function postgresLedger(
  place: string,
  warn: (message: string) => void,
  waits: LedgerSettings = {},
): Ledger {
  const address = postgresAddress(place);
  const open = async (): Promise<PostgresLink> => {
    const { openPostgres } = await import('../../core/postgres/postgres-link.ts'); // a large module, loaded on demand
    return openPostgres(address, { ...waits, warn });
  };
  return address.ledger === undefined ? rowsLedger(address, open) : listLedger(address, address.ledger, open);
}

function listLedger(address: PostgresAddress, name: string, open: () => Promise<PostgresLink>): Ledger {
  const within = async <T>(work: (session: PostgresSession) => Promise<T>, otherwise: T): Promise<T> => {
    const link = await open();
    try {
      return await link.commit(async (session) =>
        (await hasLedgerTables(session)) ? work(session) : otherwise,
      );
    } finally {
      await link.close();
    }
  };
  const finished = `select uuid from taskpipe_marks where ledger = ${sqlText(name)} and finished`;
  return {
    place: address.place,
    finished: () => within((session) => idsOf(session, finished), new IdSet()),
    list: () => listed(open, finished),
    history: (output) => within((session) => historyIn(session, name, outputNameOf(output)), NO_HISTORY()),
    rowsIn: (output) => listed(open, savedIn(name, outputNameOf(output))),
    open: async (output) => openWriterOf(await open(), name, output),
    check: () =>
      within((session) => conditionOf(session, name), { lines: 0, bad: 0, finished: 0, undone: 0 }),
    async compact() {
      const { lines } = await this.check(() => {});
      return { before: lines, after: lines };
    },
    clear: () =>
      within(async ({ change }) => {
        for (const table of ['marks', 'saved', 'outputs'])
          await change(`delete from taskpipe_${table} where ledger = $1`, [name]);
      }, undefined),
  };
}

/** Returns the query of the uuids whose rows are in an output. */
function savedIn(name: string, output: string): string {
  return `select uuid from taskpipe_saved where ledger = ${sqlText(name)} and output = ${sqlText(output)}`;
}

/**
 * Returns the name of an output in a ledger. The name of a file includes the host name, because many machines may
 * have the same path. A url stays unchanged.
 */
export function outputNameOf(path: string): string {
  if (path.includes('://')) return path;
  return `${hostname()}:${join(realPath(dirname(resolve(path))), basename(path))}`;
}

async function idsOf(session: PostgresSession, sql: string): Promise<IdSet> {
  const ids = new IdSet();
  for await (const rows of session.batches(sql, BATCH)) for (const [uuid] of rows) ids.add(uuid as string);
  return ids;
}

/** Lists the uuids of a query, and closes the connection at the end. */
async function* listed(open: () => Promise<PostgresLink>, sql: string): AsyncGenerator<readonly string[]> {
  const link = await open();
  try {
    const queryFor = async (session: PostgresSession) => ((await hasLedgerTables(session)) ? sql : undefined);
    for await (const rows of link.read(queryFor, BATCH)) yield rows.map(([uuid]) => uuid as string);
  } finally {
    await link.close();
  }
}

function NO_HISTORY(): OutputHistory {
  const empty = { saved: new IdSet(), undone: new IdSet(), seal: undefined, isSealed: false };
  return { ...empty, end: undefined, verifiedEnd: 0, hasGap: false };
}

async function historyIn(session: PostgresSession, name: string, output: string): Promise<OutputHistory> {
  const saved = await idsOf(session, savedIn(name, output));
  const taken = `select m.uuid from taskpipe_marks m join (${savedIn(name, output)}) s on s.uuid = m.uuid
    where m.ledger = ${sqlText(name)} and not m.finished`;
  const undone = await idsOf(session, taken);
  const [known] = await session.rows(
    'select known, seal, is_over from taskpipe_outputs where ledger = $1 and output = $2',
    [name, output],
  );
  if (known === undefined) return { ...NO_HISTORY(), saved, undone };
  const [end, seal, isOver] = known;
  return {
    ...{ saved, undone, end: Number(end), verifiedEnd: Number(end), hasGap: false },
    seal: seal === null ? undefined : (JSON.parse(seal as string) as Seal),
    isSealed: seal !== null && isOver === 'f',
  };
}

async function conditionOf({ rows }: PostgresSession, name: string): Promise<Condition> {
  const [[lines, finished] = []] = await rows(
    'select count(*), count(*) filter (where finished) from taskpipe_marks where ledger = $1',
    [name],
  );
  return {
    lines: Number(lines),
    bad: 0,
    finished: Number(finished),
    undone: Number(lines) - Number(finished),
  };
}

/** Opens a ledger for writing with its own connection. */
async function openWriterOf(
  link: PostgresLink,
  name: string,
  path: string | undefined,
): Promise<LedgerWriter> {
  try {
    await link.commit(makeLedgerTables);
  } catch (error) {
    await link.close();
    throw error;
  }
  const output = path === undefined ? undefined : outputNameOf(path);
  const append = (entries: readonly Entry[]): Promise<void> =>
    link.commit((session) => addEntries(session, name, output, entries));
  return {
    append,
    appendRows: (uuids, ends, from) =>
      append(
        uuids.map((uuid, i): Entry => {
          const end = ends[i] as number;
          return end < 0 ? { uuid } : { uuid, end: from + end };
        }),
      ),
    async know(end, _, seal) {
      if (output === undefined) throw new TaskpipeError('USAGE', 'the ledger was opened for no output');
      await link.commit((session) => knowOutput(session, name, output, end, seal));
    },
    check: async () => {}, // a table cannot lose its name under a writer without an error
    close: () => link.close(),
  };
}

/** Returns the function that marks uuids in the transaction of their rows; see `joinedLedger` in `index.ts`. */
export function markerOf(
  name: string,
  path: string,
): (session: PostgresSession, entries: readonly Entry[]) => Promise<void> {
  const output = outputNameOf(path);
  return (session, entries) => addEntries(session, name, output, entries);
}
