import { counted } from '../../core/base/format.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { Entry, OutputHistory } from '../../ledgers/index.ts';
import type { Rows } from '../contract.ts';
import { BOM_BYTES } from '../rows/output-header.ts';
import { agreeByCount } from './agree-by-count.ts';
import type { Head, Recovery } from './contract.ts';
import { isTorn, isUnsynced } from './crash-damage.ts';
import { cut } from './cut-tail.ts';
import { forgetAbsent, missingIn, type OpenLedger } from './missing-rows.ts';
import type { OutputFile } from './output-file.ts';
import {
  acceptedRows,
  badRow,
  doubledRows,
  type Missing,
  missingRows,
  withoutUuid,
} from './output-mismatch.ts';
import { look, type OutputScan } from './read-output.ts';
import { type RunMark, removeMark } from './run-mark.ts';

/** An output that can be appended to. */
export interface Recovered {
  /** Uuids whose rows are in the output. */
  readonly saved: IdSet;
  /** Line end that the last row lacks, or ''. */
  readonly lacks: string;
  /** True if the seal in the ledger matches the output. */
  readonly isSealed: boolean;
  /**
   * Makes the ledger agree with the output. Waits for the first commit, or the end of the run: until then, the
   * run may refuse its records, for example because the output is also the input of the pipeline.
   */
  readonly settle?: (() => Promise<void>) | undefined;
}

const BATCH = 10_000;

/**
 * Makes an output and its ledger agree, at every start. Skips an output that still matches its seal.
 * Otherwise reads all rows and compares them with the ledger by uuid: moves rows that a crash has torn to a
 * file beside the output, and adds rows that the ledger lacks to the ledger.
 * @throws {TaskpipeError} `DATA` if rows are missing or invalid for another reason than a crash of task-save; the
 *   output stays unchanged
 */
export async function recover(recovery: Recovery): Promise<Recovered> {
  const { output, rows, opened, sync } = recovery;
  const isSealed = opened !== undefined && isUntouched(output, rows, opened.history);
  // Rows of a killed run may not be on the disk yet; from here on they count as durable.
  if (sync && output.size > 0 && !isSealed) await output.sync();
  const agreed = isSealed ? { saved: opened.history.saved } : await agree(recovery);
  removeMark(output.path, sync);
  return { ...agreed, lacks: await lackingEnd(output, rows), isSealed };
}

function isUntouched(
  { stamp }: OutputFile,
  { hasUuid }: Rows,
  { seal, isSealed, saved }: OutputHistory,
): boolean {
  return isSealed && seal?.stamp === stamp && seal.rows === saved.size && seal.hasUuid === hasUuid;
}

/** Returns the line end that the last line of an output lacks, or ''. */
async function lackingEnd(output: OutputFile, { newline }: Rows): Promise<string> {
  for await (const chunk of output.chunks(Math.max(0, output.size - BOM_BYTES.length))) {
    const end = chunk.toString('latin1');
    if (end === BOM_BYTES && output.size === BOM_BYTES.length) break; // the output has no line yet
    if (!end.endsWith('\n')) return end.endsWith('\r') ? '\n' : newline;
  }
  return '';
}

async function agree(recovery: Recovery): Promise<Pick<Recovered, 'saved' | 'settle'>> {
  const { output, rows, mark, opened, onRow } = recovery;
  const found = await look({ output, rows, history: opened?.history, mark, onRow });
  if (mark !== undefined && (await isTornBehind(output, found, mark))) {
    await cut(recovery, mark.size, true);
    return agree(recovery);
  }
  if (opened !== undefined && !rows.hasUuid) {
    await agreeByCount(recovery, opened, found);
    return { saved: opened.history.saved };
  }
  const missing = await agreeByUuids(recovery, found);
  if (opened === undefined) return { saved: found.met };
  // The set of uuids grows from here on.
  const count = found.met.size - found.known;
  const settle = async (): Promise<void> => {
    if (missing !== undefined) await forget(recovery, opened, found.met, missing);
    await addUnknown(recovery, opened, found.unknown, count);
  };
  return { saved: found.met, settle };
}

/** Returns true if a row that had no line end at the start of the run is whole except for NULs after it. */
async function isTornBehind(
  output: OutputFile,
  { fault }: OutputScan,
  { size, isOpen }: RunMark,
): Promise<boolean> {
  if (!isOpen || fault?.damage !== 'nul' || fault.start >= size || fault.end <= size) return false;
  return isUnsynced(output, size);
}

/** Returns the rows that the ledger must forget; undefined if it names no row that is absent. */
async function agreeByUuids(recovery: Recovery, found: OutputScan): Promise<Missing | undefined> {
  const { output, opened, warn } = recovery;
  const { fault, met, doubled } = found;
  const isCrash = await isOurs(recovery, found);
  const isShort = opened !== undefined && found.known < opened.history.saved.size;
  const missing = isShort ? await missingIn(opened, met) : NONE;
  await check(recovery, found, missing, isCrash);
  if (fault !== undefined) await cut(recovery, fault.start, isCrash);
  if (doubled.count > 0) warn(doubledRows(output, doubled.count, doubled.line));
  return isShort ? missing : undefined;
}

/** Removes missing rows from the ledger. */
async function forget(
  { output, sync, warn }: Recovery,
  opened: OpenLedger,
  met: IdSet,
  { count }: Missing,
): Promise<void> {
  await forgetAbsent(opened, met, sync);
  if (count > 0) warn(acceptedRows(output.path, count, opened.ledger.place));
}

const NONE: Missing = { count: 0, uuids: [] };

/** Throws for all faults of an output except damage by a crash and edits that `acceptEdits` accepts. */
async function check(
  recovery: Recovery,
  found: OutputScan,
  missing: Missing,
  isCrash: boolean,
): Promise<void> {
  const { output, rows, opened, acceptEdits } = recovery;
  const { fault, nameless } = found;
  const isLast = fault?.damage === 'open' && fault.end >= output.size;
  if (fault !== undefined && !isCrash && !isLast) throw badRow(output, fault);
  if (acceptEdits) return;
  if (opened !== undefined && missing.count > 0)
    throw missingRows(output.path, opened.ledger.place, missing, {
      isEmpty: output.size === 0,
      unknown: { count: found.met.size - found.known, uuids: found.unknown?.map(({ uuid }) => uuid) ?? [] },
      nameless,
    });
  if (fault !== undefined && !isCrash) throw badRow(output, fault);
  if (rows.hasUuid && nameless.count > 0) throw withoutUuid(output, nameless, found.met.size > 0);
}

/** Returns true if a crash of the last run may have torn the first invalid row. */
async function isOurs({ output, mark }: Recovery, { fault }: OutputScan): Promise<boolean> {
  return (
    fault !== undefined && mark !== undefined && fault.start >= mark.size && (await isTorn(output, fault))
  );
}

/** Adds rows to the ledger that it lacks: a crash came before their lines were written, or someone added the rows. */
async function addUnknown(
  { output, rows, mark, sync, info }: Recovery,
  { writer, history: { saved } }: OpenLedger,
  unknown: readonly Entry[] | undefined,
  count: number,
): Promise<void> {
  if (count === 0) return;
  if (unknown !== undefined) await writer.append(unknown, sync);
  else {
    let entries: Entry[] = [];
    for await (const batch of rows.scan(output.chunks(rows.first))) {
      for (const { uuid, end } of batch)
        if (uuid !== undefined && saved.add(uuid)) entries.push({ uuid, end });
      if (entries.length < BATCH) continue;
      await writer.append(entries, sync);
      entries = [];
    }
    await writer.append(entries, sync);
  }
  if (mark === undefined)
    info(`${output.path}: ${counted(count, 'row')} that the ledger did not name: added to it`);
}

/**
 * Returns true if the run that left a mark has written the header, so that a crash may have torn it: the
 * output was then empty, or had only a byte order mark, when the run began.
 */
export function mayTearHeader(mark: RunMark | undefined): mark is RunMark {
  return mark !== undefined && mark.size <= BOM_BYTES.length;
}

/**
 * Recovers an output without a whole header. If a crash of its first run has torn it, the output starts
 * again.
 * @throws {TaskpipeError} `DATA` otherwise
 */
export async function recoverHead(head: Head): Promise<void> {
  const { output, opened, mark } = head;
  if (!mayTearHeader(mark) || !(await isUnsynced(output, mark.size))) {
    const fault = 'the header has no end, or a NUL';
    throw badRow(output, { uuid: undefined, start: 0, end: 0, line: 1, fault });
  }
  const missing = opened && (await missingIn(opened, new IdSet()));
  if (opened !== undefined && missing !== undefined && missing.count > 0)
    throw missingRows(output.path, opened.ledger.place, missing);
  await cut(head, mark.size, true);
}
