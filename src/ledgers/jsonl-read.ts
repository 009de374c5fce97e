import { statSync } from 'node:fs';
import { ioError } from '../core/errors.ts';
import { IdSet } from '../core/idset.ts';
import { addFound, uuidFound } from './jsonl-line.ts';
import { scanChunks, scanLedger } from './jsonl-scan.ts';
import type { Condition } from './ledger.ts';

/** How long a line mostly is, in bytes, with an output and its end. */
const USUAL_LINE = 130;

/** The finished uuids. */
export async function readFinished(path: string): Promise<IdSet> {
  const finished = new IdSet({ expected: sizeOf(path) / USUAL_LINE });
  await scanLedger(path, {
    fast: (bytes, found) => addFound(bytes, found, finished),
    line({ uuid, undone }) {
      if (uuid === undefined) return;
      if (undone) finished.delete(uuid);
      else finished.add(uuid);
    },
  });
  return finished;
}

/** No file is an empty one. @throws {TaskpipeError} `IO` */
function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch (error) {
    throw ioError('cannot read the ledger', path, error);
  }
}

/** The finished uuids by name, each once. Reads the file twice: first for which they are, then for their names. */
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

/** Looks at every line. @param fault is told of each that is torn or foreign */
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
  });
  return { lines, bad, finished: finished.size, undone: undone.size };
}
