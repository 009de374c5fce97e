import { TaskpipeError } from '../core/errors.ts';
import { IdSet } from '../core/idset.ts';
import type { Entry, History, LedgerWriter } from '../ledgers/index.ts';
import { areNew, isLineStart } from './boundary.ts';
import { missing, tooShort } from './changed.ts';
import type { OutputFile } from './output.ts';
import type { FoundRow, Rows } from './saver.ts';
import { isTorn, isUnsynced } from './torn.ts';

/** What the beginning of an output is recovered with. */
export interface Head {
  readonly output: OutputFile;
  /** What the ledger says, where there is one. */
  readonly history: History | undefined;
  /** A line on stderr. */
  readonly say: (message: string) => void;
}

/** What recovery works with. */
export interface Recovery extends Head {
  readonly rows: Rows;
  /** The ledger, where there is one. */
  readonly writer: LedgerWriter | undefined;
  readonly sync: boolean;
}

const BATCH = 10_000;

/**
 * Brings an output and its ledger to agree, at every start: what a crash left that is not whole is cut off, into a
 * file beside the output; whole rows that the ledger does not know are added to it.
 * @returns the uuids whose rows are in the output
 * @throws {TaskpipeError} `DATA`, where rows are missing that the ledger knows, or the output has rows that are not
 *   whole and that no crash of ours can have left
 */
export async function recover(recovery: Recovery): Promise<IdSet> {
  const { output, rows, history, writer, sync } = recovery;
  // What a killed run wrote need not be on the disk yet; from here on, it is called safe.
  if (sync && output.size > 0) await output.sync();
  const known = history?.end;
  if (known !== undefined && output.size < known) throw await tooShort(output, known);
  if (history !== undefined && known !== undefined && !rows.hasUuid) {
    await cutUnknown(recovery, history, known);
    if (history.hasHole) await writer?.know(output.size, sync);
    return history.saved;
  }
  const saved = history?.saved ?? new IdSet();
  const { named = 0, hasHole = false } = history ?? {};
  if (known === output.size && !hasHole) return saved;
  const from = await unnamedFrom(recovery);
  const fault = await addRows(recovery, from, saved);
  if (fault !== undefined) await drop(recovery, fault);
  // From now on, what is found past this point is known to be ours.
  if (known === undefined || from !== named || hasHole) await writer?.know(output.size, sync);
  return saved;
}

/** Where the rows begin that the ledger need not name. Where that is not plain to see, all rows are looked at. */
async function unnamedFrom({ output, rows, history }: Recovery): Promise<number> {
  if (history?.end === undefined) return rows.first;
  const { saved, named, end: known } = history;
  if (await areNew(output, rows, history)) return named;
  const met = new IdSet();
  let isBetweenRows = false;
  let isNamed = true;
  for await (const found of rows.scan(output.chunks(rows.first), rows.first)) {
    for (const { uuid, start, end, fault } of found) {
      // What stands behind it is not seen; it is told of in its turn.
      if (fault !== undefined && start < known) return rows.first;
      if (end === named && fault === undefined) isBetweenRows = true;
      if (uuid === undefined) continue;
      if (saved.has(uuid)) met.add(uuid);
      else if (end <= named) isNamed = false;
    }
  }
  if (met.size < saved.size) throw missing(output, saved.size - met.size);
  return isBetweenRows && isNamed ? named : rows.first;
}

/**
 * The same for an output that a crash has torn before its first row: it begins anew.
 * @throws {TaskpipeError} `DATA`, where that can't have been a crash of ours
 */
export async function recoverHead(head: Head): Promise<void> {
  const { output, history } = head;
  const isOurs = history?.end === 0 || (history?.end === undefined && (await isUnsynced(output, 0)));
  if (!isOurs) throw new TaskpipeError('DATA', `${output.path}: its first row has no end, or a NUL`);
  await cut(head, 0);
}

/** Where rows do not tell their uuid, nobody knows which tasks those past the known end are of: they are done again. */
async function cutUnknown(recovery: Recovery, { named }: History, known: number): Promise<void> {
  const { output, rows } = recovery;
  const fail = (words: string): never => {
    throw new TaskpipeError('DATA', `${output.path} has no uuid column, and ${words}`);
  };
  if (named < known) {
    fail('a crash has left a hole in the ledger: which rows it told of is lost. Save to another file');
  }
  if (output.size === known) return;
  if (known > 0 && (known < rows.first || !(await isLineStart(output, known)))) {
    fail(
      `was changed since it was last saved to: no row ends at byte ${known}, up to which the ledger knows it. ` +
        'Put the file back, or save to another one',
    );
  }
  await cut(recovery, Math.max(known, rows.first));
}

/** Takes in the rows from `from`. Returns the first that is not whole. */
async function addRows(
  { output, rows, history, writer, sync }: Recovery,
  from: number,
  saved: IdSet,
): Promise<FoundRow | undefined> {
  let unknown: Entry[] = [];
  for await (const found of rows.scan(output.chunks(from), from)) {
    for (const row of found) {
      if (row.fault !== undefined) {
        await writer?.append(unknown, sync);
        return row;
      }
      if (row.uuid === undefined || row.uuid === '' || !saved.add(row.uuid)) continue;
      if (history !== undefined) unknown.push({ uuid: row.uuid, end: row.end });
    }
    if (unknown.length < BATCH) continue;
    await writer?.append(unknown, sync);
    unknown = [];
  }
  await writer?.append(unknown, sync);
  return undefined;
}

/** Cuts off what a crash has left, or says that it was none. */
async function drop(recovery: Recovery, row: FoundRow): Promise<void> {
  const { output, history } = recovery;
  const isPastKnown = history?.end !== undefined && row.start >= history.end;
  if (!isPastKnown && !(await isTorn(output, row))) {
    throw new TaskpipeError(
      'DATA',
      `${output.path}: a row is not whole, at byte ${row.start}: ${row.fault}; repair it, or save to another file`,
    );
  }
  await cut(recovery, row.start);
}

/** Cuts an output, and says so. */
async function cut({ output, say }: Pick<Recovery, 'output' | 'say'>, at: number): Promise<void> {
  const bytes = output.size - at;
  if (bytes <= 0) return;
  const side = await output.cut(at);
  say(
    `${output.path}: the last run did not end well; ${bytes} bytes of unfinished rows were moved to ${side}`,
  );
}
