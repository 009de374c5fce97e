import type { PostgresSession } from '../../core/postgres/contract.ts';
import type { Entry, Seal } from '../contract.ts';

/*
 * Tables of all ledgers of a database. `taskpipe_marks` has a row per uuid, which is finished or was taken back;
 * `taskpipe_saved` has the uuids whose rows are in an output; `taskpipe_outputs` has the state of each output.
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

/** Returns whether the tables of ledgers exist. A ledger without them is empty. */
export async function hasLedgerTables({ rows }: PostgresSession): Promise<boolean> {
  const [[there] = []] = await rows("select to_regclass('taskpipe_outputs')");
  return typeof there === 'string';
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
  select $1, uuid, finished from unnest($2::text[], $3::boolean[]) as n (uuid, finished) order by uuid
  on conflict (ledger, uuid) do update set finished = excluded.finished where m.finished <> excluded.finished`;

const SAVE = `
  insert into taskpipe_saved (ledger, output, uuid)
  select $1, $2, uuid from unnest($3::text[]) as n (uuid) order by uuid on conflict do nothing`;

const KNOW = `
  insert into taskpipe_outputs as o (ledger, output, known, seal, is_over) values ($1, $2, $3, $4, $5)
  on conflict (ledger, output) do update set
    known = coalesce($6::bigint, o.known), seal = coalesce(excluded.seal, o.seal), is_over = excluded.is_over`;

/** Adds entries to a ledger. Call it in a transaction. @param output name of the output; undefined for none */
export async function addEntries(
  session: PostgresSession,
  name: string,
  output: string | undefined,
  entries: readonly Entry[],
): Promise<void> {
  if (entries.length === 0) return;
  const last = new Map<string, boolean>(); // one statement cannot write a row twice
  for (const { uuid, undone } of entries) last.set(uuid, undone !== true);
  await session.change(MARK, [name, [...last.keys()], [...last.values()]]);
  if (output === undefined) return;
  const marked = [...last].flatMap(([uuid, isFinished]) => (isFinished ? [uuid] : []));
  const gone = entries.flatMap((entry) => (entry.gone === true ? [entry.uuid] : []));
  if (marked.length > 0) await session.change(SAVE, [name, output, marked]);
  if (gone.length > 0)
    await session.change('delete from taskpipe_saved where ledger = $1 and output = $2 and uuid = any($3)', [
      ...[name, output, gone],
    ]);
  const ends = entries.flatMap(({ end }) => end ?? []);
  const end = ends.length === 0 ? null : ends.reduce((most, one) => Math.max(most, one), 0);
  await session.change(KNOW, [name, output, end ?? 0, null, true, end]);
}

/** Records the size up to which an output is known, and its seal at the end of a run. */
export async function knowOutput(
  session: PostgresSession,
  name: string,
  output: string,
  end: number,
  seal: Seal | undefined,
): Promise<void> {
  const text = seal === undefined ? null : JSON.stringify(seal);
  await session.change(KNOW, [name, output, end, text, seal === undefined, end]);
}
