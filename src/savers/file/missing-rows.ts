import { IdSet } from '../../core/ids/index.ts';
import type { Entry, Ledger, LedgerWriter, OutputHistory } from '../../ledgers/index.ts';
import { type Missing, SHOWN } from './output-mismatch.ts';

/** A ledger that is open for an output. */
export interface OpenLedger {
  /** The output as the ledger names it. */
  readonly path: string;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly history: OutputHistory;
}

/**
 * Finds the rows that the ledger names and the output lacks. Rows of tasks that were taken back may be
 * missing.
 */
export async function missingIn(opened: Omit<OpenLedger, 'writer'>, met: IdSet): Promise<Missing> {
  const uuids: string[] = [];
  let count = 0;
  for await (const batch of absentIn(opened, met)) {
    for (const uuid of batch) {
      if (opened.history.undone.has(uuid)) continue;
      if (count++ < SHOWN) uuids.push(uuid);
    }
  }
  return { count, uuids };
}

/** Removes the rows that are not in the output from the ledger. */
export async function forgetAbsent(opened: OpenLedger, met: IdSet, sync: boolean): Promise<void> {
  for await (const batch of absentIn(opened, met)) {
    const entries = batch.map((uuid): Entry => ({ uuid, undone: true, gone: true }));
    await opened.writer.append(entries, sync);
  }
}

async function* absentIn(
  { ledger, path, history: { saved } }: Omit<OpenLedger, 'writer'>,
  met: IdSet,
): AsyncGenerator<readonly string[]> {
  const seen = new IdSet();
  for await (const batch of ledger.rowsIn(path)) {
    yield batch.filter((uuid) => saved.has(uuid) && !met.has(uuid) && seen.add(uuid));
  }
}
