import type { PostgresSession } from '../../core/postgres/contract.ts';
import { markTasks } from '../../core/postgres/postgres-marks.ts';
import type { Entry, Seal } from '../contract.ts';

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
  await markTasks(session, name, last);
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
