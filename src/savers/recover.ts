import { TaskpipeError } from '../core/errors.ts';
import { IdSet } from '../core/idset.ts';
import type { Entry, History, LedgerWriter } from '../ledgers/index.ts';
import type { OutputFile } from './output.ts';
import type { FoundRow, Rows } from './saver.ts';

/** What recovery works with. */
export interface Recovery {
  readonly output: OutputFile;
  readonly rows: Rows;
  /** What the ledger says, and the ledger, where there is one. */
  readonly history: History | undefined;
  readonly writer: LedgerWriter | undefined;
  readonly sync: boolean;
  /** A line on stderr. */
  readonly say: (message: string) => void;
}

const NEWLINE = 10;
const BATCH = 10_000;

/**
 * Brings an output and its ledger to agree, at every start: what a crash left that is not whole is cut off, into a
 * file beside the output; whole rows that the ledger does not know are added to it.
 * @returns the uuids whose rows are in the output
 * @throws {TaskpipeError} `DATA`, where the output is shorter than the ledger says, or has rows that are not whole and
 *   that no crash of ours can have left
 */
export async function recover(recovery: Recovery): Promise<IdSet> {
  const { output, rows, history, writer, sync } = recovery;
  const saved = history?.saved ?? new IdSet();
  const known = history?.end;
  if (known !== undefined && output.size < known) throw tooShort(output, known);
  if (known !== undefined && !rows.hasUuid) {
    // Nobody can tell which tasks the rows past the known end are of: they are done again.
    if (output.size > known) await cut(recovery, Math.max(known, rows.first));
    return saved;
  }
  if (known === undefined || output.size > known) {
    const from = known !== undefined && (await isClean(recovery, known)) ? known : rows.first;
    const fault = await addRows(recovery, from, saved);
    if (fault !== undefined) await drop(recovery, fault);
  }
  // From now on, what is found past this point is known to be ours.
  if (history !== undefined && known === undefined) await writer?.know(output.size, sync);
  return saved;
}

function tooShort({ path, size }: OutputFile, known: number): TaskpipeError {
  return new TaskpipeError(
    'DATA',
    `${path} has ${size} bytes, but the ledger says that rows up to byte ${known} were saved: rows are missing. ` +
      'Put the file back, or save to another one; to do all again, clear the ledger (task-done clear)',
  );
}

/**
 * Whether all that stands from `from` are whole rows. Where it is not, that may be as the file was rewritten since
 * (widened, without the ledger), so that `from` is no longer where a row begins: then all of it is read.
 */
async function isClean({ output, rows }: Recovery, from: number): Promise<boolean> {
  if (from > rows.first) {
    for await (const chunk of output.chunks(from - 1)) {
      if (chunk[0] !== NEWLINE) return false;
      break;
    }
  } else if (from < rows.first) return false;
  for await (const found of rows.scan(output.chunks(from), from)) {
    if (found.at(-1)?.fault !== undefined) return false;
  }
  return true;
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
  const isOurs = history?.end !== undefined && row.start >= history.end;
  const isTail = row.isTorn === true && row.end >= output.size;
  if (!isOurs && !isTail) {
    throw new TaskpipeError(
      'DATA',
      `${output.path}: a row is not whole, at byte ${row.start}: ${row.fault}; repair it, or save to another file`,
    );
  }
  await cut(recovery, row.start);
}

/** Cuts an output, and says so. */
export async function cut({ output, say }: Pick<Recovery, 'output' | 'say'>, at: number): Promise<void> {
  const bytes = output.size - at;
  if (bytes <= 0) return;
  const side = await output.cut(at);
  say(
    `${output.path}: the last run did not end well; ${bytes} bytes of unfinished rows were moved to ${side}`,
  );
}
