import { statSync } from 'node:fs';
import { IdSet } from '../../core/ids/index.ts';
import { startOf } from '../../core/storage/file-kind.ts';
import type { Condition } from '../contract.ts';
import { addFound, uuidFound } from './jsonl-line.ts';
import { scanChunks, scanLedger } from './jsonl-scan.ts';

/** Returns the finished uuids. */
export async function readFinished(path: string, say: (message: string) => void = () => {}): Promise<IdSet> {
  const finished = new IdSet({ expected: linesIn(path) });
  await scanLedger(path, {
    fast: (bytes, found) => addFound(bytes, found, finished),
    line({ uuid, undone }) {
      if (uuid === undefined) return;
      if (undone) finished.delete(uuid);
      else finished.add(uuid);
    },
    end(foreign, hasUuids) {
      foreign.refuse(path, hasUuids);
      const warning = foreign.warning(path);
      if (warning !== undefined) say(warning);
    },
  });
  return finished;
}

/** Estimates the number of lines from the length of the first ones. @throws {TaskpipeError} `IO` */
function linesIn(path: string): number {
  const start = startOf(path, 'ledger');
  if (start === '') return 0; // the ledger does not exist, or is not a file
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return (size / start.length) * (start.match(/\n/g)?.length ?? 0);
}

/**
 * Lists the finished uuids, each once. Reads the file twice: first for the set, then for the text of the
 * uuids.
 */
export async function* listLedger(path: string): AsyncGenerator<readonly string[]> {
  const finished = await readFinished(path);
  let names: string[] = [];
  const take = (uuid: string): void => {
    if (finished.delete(uuid)) names.push(uuid);
  };
  const chunks = scanChunks(path, {
    fast: (bytes, found) => take(uuidFound(bytes, found)),
    line: ({ uuid }) => uuid !== undefined && take(uuid),
  });
  for await (const _ of chunks) {
    yield names;
    names = [];
  }
}

/** Checks every line. @param fault called for each torn or foreign line */
export async function checkLedger(
  path: string,
  fault: (line: number, message: string) => void,
): Promise<Condition> {
  const finished = new IdSet();
  const undone = new IdSet();
  let lines = 0;
  let bad = 0;
  await scanLedger(path, {
    fast(bytes, found) {
      lines++;
      addFound(bytes, found, finished);
      if (undone.size > 0) undone.delete(uuidFound(bytes, found));
    },
    line({ uuid, undone: isUndone }) {
      lines++;
      if (uuid === undefined) return;
      (isUndone ? undone : finished).add(uuid);
      (isUndone ? finished : undone).delete(uuid);
    },
    bad(number, message) {
      lines++;
      bad++;
      fault(number, message);
    },
    end() {}, // each of them has been reported
  });
  return { lines, bad, finished: finished.size, undone: undone.size };
}
