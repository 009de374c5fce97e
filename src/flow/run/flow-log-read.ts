import { createReadStream } from 'node:fs';
import { ioError } from '../../core/base/errors.ts';
import type { FlowChange } from './atom-storage.ts';

/** LinePlace of a line in a log, in bytes. */
export interface LinePlace {
  readonly start: number;
  readonly length: number;
}

/** Run in a log: the changes of a run to resume, or the last line of one that does not run again. */
export type KeptRun = { readonly changes: FlowChange[] } | LinePlace;

/** States in which a run has ended for good: nothing of it is left to do, or what it did could not be undone. */
export const FINAL: readonly unknown[] = ['SUCCESS', 'FAILURE'];

/** Returns the place of the last line of a run that ended for good; undefined if there is none. */
export async function findEnd(
  path: string,
  { flow, uuid, finals = FINAL }: { flow: string; uuid: string; finals?: readonly unknown[] | undefined },
): Promise<LinePlace | undefined> {
  let found: LinePlace | undefined;
  for await (const { bytes, start } of linesOf(path)) {
    const line = bytes.includes(uuid) ? parse(bytes) : undefined;
    if (line?.uuid === uuid && line.flow === flow && finals.includes(line.end))
      found = { start, length: bytes.length };
  }
  return found;
}

interface Line {
  readonly uuid?: unknown;
  readonly flow?: unknown;
  readonly end?: unknown;
}

/** Returns a key that is unique for a flow and a task. */
export function runKey(flow: string, uuid: string): string {
  return `${uuid}\n${flow}`; // a uuid has no newline
}

/**
 * Reads the runs that have not ended or have ended for good; those that were reverted are dropped. A line torn by
 * a crash is skipped: no atom has acted on its change, because atoms wait until changes are synced.
 * @param finals states in which a run does not run again
 * @throws {TaskpipeError} `IO`
 */
export async function readFlowLog(
  path: string,
  finals: readonly unknown[] = FINAL,
): Promise<Map<string, KeptRun>> {
  const runs = new Map<string, KeptRun>();
  try {
    for await (const { bytes, start } of linesOf(path)) {
      const line = parse(bytes);
      if (typeof line?.uuid !== 'string' || typeof line.flow !== 'string') continue;
      const key = runKey(line.flow, line.uuid);
      const run = runs.get(key);
      if (finals.includes(line.end)) runs.set(key, { start, length: bytes.length });
      else if (line.end !== undefined) runs.delete(key);
      else if (run !== undefined && 'changes' in run) run.changes.push(line as FlowChange);
      else runs.set(key, { changes: [line as FlowChange] });
    }
  } catch (error) {
    throw ioError('cannot read the flow log', path, error);
  }
  return runs;
}

function parse(bytes: Buffer): Line | undefined {
  if (bytes.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Yields the lines of a file with their byte offsets. The next write adds a missing last newline. */
async function* linesOf(path: string): AsyncGenerator<{ bytes: Buffer; start: number }> {
  let kept: Buffer[] = [];
  let start = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    let from = 0;
    for (let newline = chunk.indexOf(10); newline >= 0; newline = chunk.indexOf(10, from)) {
      const bytes = Buffer.concat([...kept, chunk.subarray(from, newline)]);
      kept = [];
      yield { bytes, start };
      start += bytes.length + 1;
      from = newline + 1;
    }
    if (from < chunk.length) kept.push(chunk.subarray(from));
  }
  if (kept.length > 0) yield { bytes: Buffer.concat(kept), start };
}
