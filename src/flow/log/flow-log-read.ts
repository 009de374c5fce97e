import { createReadStream, readSync } from 'node:fs';
import { ioError } from '../../core/base/errors.ts';
import type { FlowChange } from '../run/atom-storage.ts';
import { type RunEnds, runKey } from './run-ends.ts';

interface LogLine {
  readonly bytes: Buffer;
  /** Offset in the file, in bytes. */
  readonly start: number;
}

/** Content of a line: the run that it belongs to, and whether it is the end of that run. */
interface RunLine {
  readonly uuid: string;
  readonly flow: string;
  readonly end?: unknown;
}

/** Runs in a log. */
export interface LoggedRuns {
  /** Changes of the runs that have not ended, by their keys. */
  readonly changes: Map<string, FlowChange[]>;
  /** Size of the lines that are still needed, in bytes. */
  readonly needed: number;
}

/** States in which a run has ended for good: no work is left, or its effects could not be reverted. */
export const FINAL: readonly unknown[] = ['SUCCESS', 'FAILURE'];

/** Size of the pieces in which a log is read, in bytes. */
const PIECE = 1 << 20;

/** Size of the piece in which the end of a run is read, in bytes. */
const LINE_PIECE = 4096;

/**
 * Reads the runs that have not ended, and the places of those that have ended for good; those that were reverted
 * are dropped. A line torn by a crash is skipped: no atom has acted on its change, because atoms wait until changes
 * are synced.
 * @param ends gets the places
 * @param finals states in which a run does not run again
 * @throws {TaskpipeError} `IO`
 */
export async function readFlowLog(
  path: string,
  ends: RunEnds,
  finals: readonly unknown[] = FINAL,
): Promise<LoggedRuns> {
  const runs = new Map<string, { readonly changes: FlowChange[]; bytes: number }>();
  let needed = 0;
  try {
    for await (const lines of linesOf(path)) {
      for (const { bytes, start } of lines) {
        const line = runLineOf(bytes);
        if (line === undefined) continue;
        const key = runKey(line.flow, line.uuid);
        const run = runs.get(key);
        if (line.end === undefined) {
          if (run === undefined) runs.set(key, { changes: [line as never], bytes: bytes.length + 1 });
          else {
            run.changes.push(line as never);
            run.bytes += bytes.length + 1;
          }
          continue;
        }
        runs.delete(key);
        if (!finals.includes(line.end)) {
          ends.delete(line.flow, line.uuid);
          continue;
        }
        ends.set(line.flow, line.uuid, start);
        needed += bytes.length + 1;
      }
    }
  } catch (error) {
    throw ioError('cannot read the flow log', path, error);
  }
  for (const { bytes } of runs.values()) needed += bytes;
  return { changes: new Map([...runs].map(([key, { changes }]) => [key, changes])), needed };
}

/**
 * Yields the lines of a log that are still needed, each with its newline: those of runs that have not ended, and the
 * ends of those that ended for good.
 * @param live keys of the runs that have not ended
 * @param options.ends gets the places of the ends among the lines that were yielded
 * @param options.start number of bytes before the first of them
 * @param options.finals states in which a run does not run again
 */
export async function* neededLines(
  path: string,
  live: ReadonlySet<string>,
  options: { readonly ends: RunEnds; readonly start: number; readonly finals: readonly unknown[] },
): AsyncGenerator<Buffer> {
  const { ends, start, finals } = options;
  let place = start;
  for await (const lines of linesOf(path)) {
    const kept: Buffer[] = [];
    for (const { bytes } of lines) {
      const line = runLineOf(bytes);
      if (line === undefined) continue;
      const isFinal = finals.includes(line.end);
      // If a run was reverted after its end, this line cancels that end.
      const isReverted = line.end !== undefined && !isFinal && ends.get(line.flow, line.uuid) !== undefined;
      // A reverted run may have run again: the line of the revert separates its changes from the new ones.
      if (!isFinal && !isReverted && !live.has(runKey(line.flow, line.uuid))) continue;
      if (isReverted) ends.delete(line.flow, line.uuid);
      if (isFinal) ends.set(line.flow, line.uuid, place);
      kept.push(bytes, NEWLINE);
      place += bytes.length + 1;
    }
    if (kept.length > 0) yield Buffer.concat(kept);
  }
}

const NEWLINE = Buffer.from('\n');

/** Returns a line if it is of a run; undefined for other lines, also for torn ones. */
function runLineOf(bytes: Buffer): RunLine | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const value = JSON.parse(bytes.toString()) as Partial<RunLine> | null;
    const isOfRun = typeof value?.uuid === 'string' && typeof value.flow === 'string';
    return isOfRun ? (value as RunLine) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the line of a file that starts at an offset; undefined if it is not of this run. */
export function runLineAt(fd: number, start: number, flow: string, uuid: string): unknown {
  const pieces: Buffer[] = [];
  for (let at = start; ; at += LINE_PIECE) {
    const piece = Buffer.alloc(LINE_PIECE);
    const bytes = piece.subarray(0, readSync(fd, piece, 0, LINE_PIECE, at));
    const newline = bytes.indexOf(10);
    pieces.push(newline < 0 ? bytes : bytes.subarray(0, newline));
    if (newline >= 0 || bytes.length < LINE_PIECE) break;
  }
  const line = runLineOf(Buffer.concat(pieces));
  return line?.uuid === uuid && line.flow === flow ? line : undefined;
}

/** Yields the lines of a file, all those that end in one piece together. The next write adds a missing last newline. */
async function* linesOf(path: string): AsyncGenerator<readonly LogLine[]> {
  let kept: Buffer[] = [];
  let start = 0;
  for await (const piece of createReadStream(path, { highWaterMark: PIECE }) as AsyncIterable<Buffer>) {
    const lines: LogLine[] = [];
    let from = 0;
    for (let newline = piece.indexOf(10); newline >= 0; newline = piece.indexOf(10, from)) {
      const end = piece.subarray(from, newline);
      const bytes = kept.length === 0 ? end : Buffer.concat([...kept, end]);
      kept = [];
      lines.push({ bytes, start });
      start += bytes.length + 1;
      from = newline + 1;
    }
    if (from < piece.length) kept.push(piece.subarray(from));
    if (lines.length > 0) yield lines;
  }
  if (kept.length > 0) yield [{ bytes: Buffer.concat(kept), start }];
}
