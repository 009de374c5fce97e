import { TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { Recovery } from './contract.ts';
import { cut } from './cut-tail.ts';
import type { OpenLedger } from './missing-rows.ts';
import { badRow, lostUuids, tooFewRows, unknownRows } from './output-mismatch.ts';
import type { OutputScan } from './read-output.ts';

/**
 * Makes a ledger and an output without uuids agree. Rows do not show which task they belong to, so they are counted.
 * Rows of a crashed run that the ledger does not name are moved aside, and their tasks run again.
 */
export async function agreeByCount(recovery: Recovery, opened: OpenLedger, found: OutputScan): Promise<void> {
  const { output, rows, mark, acceptEdits, sync } = recovery;
  const { ledger, history, writer } = opened;
  const { saved, seal, hasGap, verifiedEnd, end = 0 } = history;
  if (saved.size > 0 && (mark?.hasUuid ?? seal?.hasUuid) === true)
    throw lostUuids(output.path, ledger.place, saved.size, rows.names ?? []);
  if ((hasGap && verifiedEnd < end) || (seal?.rows ?? 0) > saved.size) {
    throw new TaskpipeError(
      'DATA',
      `${output.path} has no uuid column, and lines are missing in the ledger ${ledger.place}: which rows they named ` +
        `cannot be found out. Put the ledger back, or save to another file after task-done clear --yes ${ledger.place}`,
    );
  }
  if (mark === undefined && history.end === undefined && found.rows > 0)
    throw unknownRows(output, ledger.place, found.rows);
  // After a crash, rows count only up to the end that the ledger knows.
  const known =
    mark === undefined ? output.size : Math.min(output.size, Math.max(end, mark.size, rows.first));
  const count = mark === undefined ? found.rows : await rowsUpTo(recovery, known);
  const { fault } = found;
  const isTail = fault?.damage === 'open' && fault.end >= output.size;
  if (fault !== undefined && fault.start < known && !(acceptEdits && isTail)) throw badRow(output, fault);
  if (count < saved.size - (await takenBack(opened)))
    throw tooFewRows(output, ledger.place, count, saved.size);
  if (mark === undefined && fault !== undefined) await cut(recovery, fault.start, false);
  else await cut(recovery, known, true);
  // Rows of a later crash begin here.
  if (history.end !== output.size || hasGap) await writer.know(output.size, sync);
}

/** Counts the tasks of this output that were taken back. A ledger also has those of other outputs. */
async function takenBack({ ledger, path, history: { undone } }: OpenLedger): Promise<number> {
  if (undone.size === 0) return 0;
  const found = new IdSet();
  for await (const batch of ledger.rowsIn(path))
    for (const uuid of batch) if (undone.has(uuid)) found.add(uuid);
  return found.size;
}

/** Counts the rows up to byte `known`. @throws {TaskpipeError} `DATA` if no row ends there */
async function rowsUpTo({ output, rows, mark }: Recovery, known: number): Promise<number> {
  let count = 0;
  let at = rows.first;
  scan: for await (const found of rows.scan(output.chunks(rows.first))) {
    for (const { fault, start, end } of found) {
      if (start >= known || fault !== undefined) break scan;
      count++;
      at = end;
    }
  }
  const wasOpen = mark?.isOpen === true && known === mark.size;
  if (at !== known && !wasOpen) {
    throw new TaskpipeError(
      'DATA',
      `${output.path} has no uuid column, and was changed after a run that did not end well: no row ends at byte ` +
        `${known}, up to which the ledger knows it. Put the file back, or save to another file`,
    );
  }
  return count;
}
