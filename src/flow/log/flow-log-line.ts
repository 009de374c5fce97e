import { writeSync } from 'node:fs';
import type { Failure } from '../../core/record/task.ts';
import type { FlowChange, KeptAtoms } from '../run/atom-storage.ts';

/** End of a run, as its record needs it. */
export interface RunEnd {
  readonly state: string;
  /** JSON text. */
  readonly result?: string | undefined;
  readonly error?: Failure | undefined;
  /** State of its atoms that a later revert needs, after `SUCCESS`. */
  readonly atoms?: KeptAtoms | undefined;
}

/** Returns the beginning of the lines of a run. Most uuids need no escapes, which is quick to check. */
export function beginOf(flow: string, uuid: string): string {
  if (flow !== lastFlow) [lastFlow, lastFlowText] = [flow, JSON.stringify(flow)];
  return `{"uuid":${PLAIN.test(uuid) ? `"${uuid}"` : JSON.stringify(uuid)},"flow":${lastFlowText},`;
}

/** Returns the rest of the line of a change, with its newline. */
export function changeText(change: FlowChange): string {
  if ('atom' in change && change.failure === undefined && PLAIN.test(change.atom)) {
    const { atom, state, result } = change;
    if (result === undefined) return `"atom":"${atom}","state":"${state}"}\n`;
    return `"atom":"${atom}","state":"${state}","result":${JSON.stringify(result)}}\n`;
  }
  return `${JSON.stringify(change).slice(1)}\n`;
}

/** Returns the rest of the line of an end, with its newline. @param isFinal true if the run does not run again */
export function endText({ state, result, error, atoms }: RunEnd, isFinal: boolean): string {
  const more = atoms === undefined ? '' : `,"atoms":${JSON.stringify(atoms)}`;
  const kept = isFinal && result !== undefined ? `,"result":${result}` : '';
  const why = isFinal && error !== undefined ? `,"error":${JSON.stringify(error)}` : '';
  return `"end":"${state}"${kept}${more}${why}}\n`;
}

/**
 * Writes lines and returns their number of bytes. The newline before them ends a line torn by a crash, so that they
 * cannot become its tail.
 */
export function writeLines(fd: number, lines: string): number {
  const text = `\n${lines}`;
  const bytes = Buffer.byteLength(text);
  const written = writeSync(fd, text); // as text, which avoids a buffer for each write
  if (written < bytes) throw new Error(`${written} of ${bytes} bytes were written; is the disk full?`);
  return bytes;
}

const PLAIN = /^[\w-]+$/;
let lastFlow = '';
let lastFlowText = '""';
