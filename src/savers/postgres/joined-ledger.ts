import { IdSet } from '../../core/ids/index.ts';
import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { isPostgres, isSameDatabase, postgresAddress } from '../../core/postgres/postgres-address.ts';
import { type Entry, markerOf, type OutputHistory, openLedger } from '../../ledgers/index.ts';
import type { DestinationOptions } from '../contract.ts';
import { forgetAbsent, missingIn, type OpenLedger } from '../file/missing-rows.ts';
import { acceptedRows, type Missing, missingRows, SHOWN } from '../file/output-mismatch.ts';
import { stateIn, type TargetTable } from './target-table.ts';

const BATCH = 10_000;

/** A ledger that is open for a table, and the way in which its marks are written. */
export interface TableLedger extends OpenLedger {
  /**
   * Marks uuids in the transaction of their rows; undefined if the ledger is not in the same database, so that it is
   * written after them.
   */
  readonly mark: ((session: PostgresSession, entries: readonly Entry[]) => Promise<void>) | undefined;
}

/** Opens the ledger of a table, if there is one. @param name name of the table in the ledger */
export async function openTableLedger(
  { ledger: place, warn, patience }: DestinationOptions,
  link: PostgresLink,
  name: string,
): Promise<TableLedger | undefined> {
  if (place === undefined) return undefined;
  const ledger = openLedger(place, warn, { patience });
  const address = isPostgres(place) ? postgresAddress(place) : undefined;
  const isJoined = address?.ledger !== undefined && isSameDatabase(address, link.address);
  const mark = isJoined ? markerOf(address.ledger as string, name) : undefined;
  const writer = await ledger.open(name);
  try {
    return { path: name, ledger, writer, mark, history: await ledger.history(name) };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

/** Uuids of a table, compared with its ledger. */
export interface TableUuids {
  readonly all: IdSet;
  /** Those that the ledger names. */
  readonly met: IdSet;
  /** Those that the ledger does not name. */
  readonly unknown: Missing;
}

/** Reads the uuids of a table. */
export function readUuids(
  link: PostgresLink,
  target: TargetTable,
  history: OutputHistory | undefined,
): Promise<TableUuids> {
  return link.commit(async (session) => {
    const [all, met] = [new IdSet(), new IdSet()];
    const uuids: string[] = [];
    let count = 0;
    for await (const rows of session.batches(`select uuid::text from ${target.sql}`, BATCH))
      for (const [cell] of rows) {
        const uuid = cell as string;
        all.add(uuid);
        if (history === undefined) continue;
        if (history.saved.has(uuid)) met.add(uuid);
        else if (count++ < SHOWN) uuids.push(uuid);
      }
    return { all, met, unknown: { count, uuids } };
  });
}

/**
 * Compares a table with its ledger.
 * @param name name of the table in messages
 * @returns the function that makes the ledger agree with the table: it adds rows that the ledger lacks, and removes
 *   rows that the table lacks
 * @throws {TaskpipeError} `DATA` if rows are missing that the ledger names, unless `acceptEdits` is set
 */
export async function agreeWithTable(
  options: DestinationOptions,
  opened: TableLedger,
  uuids: TableUuids,
  name: string,
): Promise<(link: PostgresLink, target: TargetTable) => Promise<void>> {
  const { acceptEdits, sync, warn } = options;
  const { ledger, history } = opened;
  const { all, met, unknown } = uuids;
  const isShort = met.size < history.saved.size;
  const missing = isShort ? await missingIn(opened, met) : { count: 0, uuids: [] };
  if (missing.count > 0 && !acceptEdits)
    throw missingRows(name, ledger.place, missing, { isEmpty: all.size === 0, unknown });
  return async (link, target) => {
    if (isShort) await forgetAbsent(opened, met, sync);
    if (missing.count > 0) warn(acceptedRows(name, missing.count, ledger.place));
    if (unknown.count > 0) await markFoundRows(options, opened, link, target);
  };
}

/** Marks rows that the ledger does not name: of a crash between a row and its mark, or of another program. */
async function markFoundRows(
  { all, sync }: DestinationOptions,
  { writer, history: { saved, undone } }: OpenLedger,
  link: PostgresLink,
  { sql, isOurs, hasRecords, columns }: TargetTable,
): Promise<void> {
  const hasState = isOurs && !all && (hasRecords || columns.some(({ name }) => name === 'state'));
  const good = hasState ? `where coalesce(${stateIn('t', hasRecords)}, 'SUCCESS') = 'SUCCESS'` : '';
  await link.commit(async (session) => {
    for await (const rows of session.batches(`select uuid::text from ${sql} t ${good}`, BATCH)) {
      const uuids = rows.map(([uuid]) => uuid as string);
      const found = uuids.filter((uuid) => !saved.has(uuid) && !undone.has(uuid));
      if (found.length > 0)
        await writer.append(
          found.map((uuid) => ({ uuid })),
          sync,
        );
    }
  });
}
