import { IdSet } from '../../core/ids/index.ts';
import { type Database, identifier } from '../../core/storage/sqlite-database.ts';
import { type Entry, openLedger } from '../../ledgers/index.ts';
import type { DestinationOptions } from '../contract.ts';
import { forgetAbsent, missingIn, type OpenLedger } from '../file/missing-rows.ts';
import { acceptedRows, lostUuids, type Missing, missingRows, SHOWN } from '../file/output-mismatch.ts';
import { columnsOf } from './user-table.ts';

/** Default table. */
export const TABLE = 'tasks';

const BATCH = 10_000;

/** Opens the ledger of a table, if there is one. Each table of a database is a separate output. */
export async function openLedgerOf(
  { ledger: place, path, warn, patience }: DestinationOptions,
  table: string,
): Promise<OpenLedger | undefined> {
  if (place === undefined) return undefined;
  const name = outputOf(path, table);
  const ledger = openLedger(place, warn, { patience });
  const writer = await ledger.open(name);
  try {
    return { path: name, ledger, writer, history: await ledger.history(name) };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

function outputOf(path: string, table: string): string {
  return table === TABLE ? path : `${path}#${encodeURIComponent(table)}`;
}

/**
 * Checks that a missing database was not removed. Call it before the database is created.
 * @throws {TaskpipeError} `DATA`
 */
export async function checkNeverSaved(options: DestinationOptions, table: string): Promise<void> {
  const { ledger: place, path, acceptEdits, warn, patience } = options;
  if (place === undefined || acceptEdits) return;
  const name = outputOf(path, table);
  const ledger = openLedger(place, warn, { patience });
  const missing = await missingIn({ path: name, ledger, history: await ledger.history(name) }, new IdSet());
  if (missing.count > 0) throw missingRows(path, ledger.place, missing, { isEmpty: true });
}

/**
 * Compares a table with its ledger.
 * @returns the function that makes the ledger agree with the table: it adds rows that the ledger lacks, and removes
 *   rows that the table lacks
 * @throws {TaskpipeError} `DATA` if rows are missing that the ledger names, unless `acceptEdits` is set; or if the
 *   uuid column is missing
 */
export async function agree(
  options: DestinationOptions,
  opened: OpenLedger,
  database: Database,
  table: string,
): Promise<() => Promise<void>> {
  const { path, acceptEdits, sync, warn } = options;
  const { ledger, history } = opened;
  const columns = (await columnsOf(database, table)).map(({ name }) => name);
  const name = table === TABLE ? path : `${path}, table ${table}`;
  const hasUuid = columns.includes('uuid');
  const isThere = columns.length > 0;
  if (isThere && !hasUuid && history.saved.size > 0)
    throw lostUuids(name, ledger.place, history.saved.size, columns);
  const { met, unknown } = await rowsNamed(opened, database, hasUuid ? table : undefined);
  const isShort = met.size < history.saved.size;
  const missing = isShort ? await missingIn(opened, met) : { count: 0, uuids: [] };
  if (missing.count > 0 && !acceptEdits)
    throw missingRows(name, ledger.place, missing, { isEmpty: !isThere, unknown });
  return async () => {
    if (isShort) await forgetAbsent(opened, met, sync);
    if (missing.count > 0) warn(acceptedRows(name, missing.count, ledger.place));
    if (hasUuid) await markFound(options, opened, database, { table, hasState: columns.includes('state') });
  };
}

/** Returns the uuids that have a row: those that the ledger names, and the others. */
async function rowsNamed(
  { history }: OpenLedger,
  database: Database,
  table: string | undefined,
): Promise<{ readonly met: IdSet; readonly unknown: Missing }> {
  const met = new IdSet();
  const uuids: string[] = [];
  let count = 0;
  if (table === undefined) return { met, unknown: { count, uuids } };
  const rows = await database.prepare(`select uuid from ${identifier(table)}`);
  for (const [cell] of await rows.rows()) {
    const uuid = String(cell);
    if (history.saved.has(uuid)) met.add(uuid);
    else if (count++ < SHOWN) uuids.push(uuid);
  }
  return { met, unknown: { count, uuids } };
}

async function markFound(
  { all, sync }: DestinationOptions,
  { writer, history: { saved, undone } }: OpenLedger,
  database: Database,
  { table, hasState }: { readonly table: string; readonly hasState: boolean },
): Promise<void> {
  const good = hasState && !all ? "and coalesce(state, 'SUCCESS') = 'SUCCESS'" : '';
  const rows = await database.prepare(`select uuid from ${identifier(table)} where uuid > '' ${good}`);
  let found: Entry[] = [];
  for (const [cell] of await rows.rows()) {
    const uuid = String(cell);
    if (saved.has(uuid) || undone.has(uuid)) continue;
    found.push({ uuid });
    if (found.length < BATCH) continue;
    await writer.append(found, sync);
    found = [];
  }
  await writer.append(found, sync);
}
