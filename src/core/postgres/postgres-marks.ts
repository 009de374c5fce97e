import type { PostgresSession } from './contract.ts';
import { hasOwnTables, type TableShapes } from './own-tables.ts';

/*
 * Tables of all ledgers of a database. `taskpipe_marks` has a row per uuid, which is finished or was taken back; the
 * queue of the same name shares it. `taskpipe_saved` has the uuids whose rows are in an output; `taskpipe_outputs` has
 * the state of each output.
 */
const TABLES = `
  create table if not exists taskpipe_marks (
    ledger text collate "C" not null, uuid text collate "C" not null, finished boolean not null,
    primary key (ledger, uuid));
  create table if not exists taskpipe_saved (
    ledger text collate "C" not null, output text collate "C" not null, uuid text collate "C" not null,
    primary key (ledger, output, uuid));
  create table if not exists taskpipe_outputs (
    ledger text not null, output text not null, known bigint not null, seal text, is_over boolean not null,
    primary key (ledger, output))`;

const SHAPES: TableShapes = {
  taskpipe_marks: ['ledger', 'uuid', 'finished'],
  taskpipe_saved: ['ledger', 'output', 'uuid'],
  taskpipe_outputs: ['ledger', 'output', 'known', 'seal', 'is_over'],
};

/**
 * Returns whether the tables of ledgers exist. A ledger without them is empty.
 * @throws {TaskpipeError} `DATA` if another program has a table of that name
 */
export function hasLedgerTables(session: PostgresSession): Promise<boolean> {
  return hasOwnTables(session, SHAPES);
}

/** Creates the tables of ledgers, unless they exist. Call it in a transaction. */
export async function makeLedgerTables(session: PostgresSession): Promise<void> {
  if (await hasLedgerTables(session)) return; // a user who may not create tables may still use them
  // One process at a time creates them: two at once would fail with a duplicate name.
  await session.rows("select pg_advisory_xact_lock(hashtext('taskpipe ledgers'))");
  await session.exec(TABLES);
}

const MARK = `
  insert into taskpipe_marks as m (ledger, uuid, finished)
  select $1, uuid, finished from unnest($2::text[], $3::boolean[]) as n (uuid, finished) order by uuid collate "C"
  on conflict (ledger, uuid) do update set finished = excluded.finished where m.finished <> excluded.finished`;

/** Marks tasks as finished or taken back. @param marks by uuid: true if the task is finished */
export async function markTasks(
  session: PostgresSession,
  ledger: string,
  marks: ReadonlyMap<string, boolean>,
): Promise<void> {
  await session.change(MARK, [ledger, [...marks.keys()], [...marks.values()]]);
}
