import { closeSync, fstatSync, openSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import { datasync, syncFolder, writeOnce } from '../../core/storage/durable.ts';
import { assertOwnContent } from '../../core/storage/file-kind.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { GrowingFile } from '../../core/storage/named-file.ts';
import { utf8Of } from '../../core/text/encoding.ts';
import type { Entry, Ledger, LedgerWriter, OutputHistory, Seal } from '../contract.ts';
import { clearLedger, compactLedger } from './jsonl-compact.ts';
import { addFound, knownLine, linesOf, linesOfRows, uuidFound } from './jsonl-line.ts';
import { checkLedger, listLedger, readFinished } from './jsonl-read.ts';
import { scanChunks, scanLedger } from './jsonl-scan.ts';
import { VerifiedEnd } from './verified-end.ts';

/**
 * Returns a ledger in a JSONL file. Many processes may append to it at once.
 * @param warn writes a line to stderr
 */
export function jsonlLedger(path: string, warn: (message: string) => void): Ledger {
  return {
    place: path,
    async finished() {
      assertOwnContent(path, 'ledger');
      return readFinished(path, warn);
    },
    async *list() {
      assertOwnContent(path, 'ledger');
      yield* listLedger(path);
    },
    history: (output) => readHistory(path, nameOf(output, path)),
    rowsIn: (output) => readRows(path, nameOf(output, path)),
    async open(output) {
      assertOwnContent(path, 'ledger');
      return openWriter(path, output === undefined ? undefined : nameOf(output, path), warn);
    },
    check: (fault) => checkLedger(path, fault),
    async compact() {
      assertOwnContent(path, 'ledger');
      return compactLedger(path, warn);
    },
    async clear() {
      assertOwnContent(path, 'ledger');
      return clearLedger(path, warn);
    },
  };
}

/**
 * Returns the name of an output in the ledger: its path from the ledger's folder, so that both can move
 * together.
 */
function nameOf(output: string, ledger: string): string {
  if (output.includes('://')) return output; // a table of a server
  return relative(realFolder(ledger), join(realFolder(output), basename(output)));
}

function realFolder(path: string): string {
  const folder = dirname(resolve(path));
  try {
    return realpathSync(folder);
  } catch (error) {
    throw ioError('cannot use the folder of', path, error);
  }
}

async function readHistory(path: string, output: string): Promise<OutputHistory> {
  const saved = new IdSet();
  const undone = new IdSet();
  const known = new VerifiedEnd();
  let seal: Seal | undefined;
  let isSealed = false;
  await scanLedger(path, {
    fast(bytes, found, out) {
      if (found.end >= 0 && out === output) {
        addFound(bytes, found, saved);
        known.row(found.end);
        isSealed = false;
      }
      if (undone.size > 0) undone.delete(uuidFound(bytes, found));
    },
    line({ uuid, undone: isUndone, out, end, seal: found }) {
      if (out === output) {
        if (uuid !== undefined) isUndone ? saved.delete(uuid) : saved.add(uuid);
        if (end !== undefined) uuid === undefined ? known.all(end) : known.row(end);
        isSealed = found !== undefined;
        seal = found ?? seal;
      }
      if (uuid === undefined) return;
      if (isUndone) undone.add(uuid);
      else undone.delete(uuid);
    },
    bad(_, __, hasGap) {
      if (hasGap) known.gap();
      isSealed = false; // the line may have named a row
    },
  });
  return { saved, undone, seal, isSealed, end: known.end, verifiedEnd: known.verified, hasGap: known.hasGap };
}

async function* readRows(path: string, output: string): AsyncGenerator<readonly string[]> {
  let uuids: string[] = [];
  const chunks = scanChunks(path, {
    fast: (bytes, found, out) => found.end >= 0 && out === output && uuids.push(uuidFound(bytes, found)),
    line: ({ uuid, out }) => uuid !== undefined && out === output && uuids.push(uuid),
  });
  for await (const _ of chunks) {
    yield uuids;
    uuids = [];
  }
}

/** Effect of running again after the ledger was lost, for a message. */
const AGAIN = ': rows of the output that the ledger lacks are added to it';

function openWriter(path: string, out: string | undefined, warn: (message: string) => void): LedgerWriter {
  let fd: number;
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFIFO())
      // opening it would block
      throw new TaskpipeError('USAGE', `the ledger ${path} is a named pipe; name a file`);
    const busy = `${path} is being compacted or cleared by task-done; try again when it is done`;
    fd = openLocked(path, () => openSync(path, 'a', 0o666), 'shared', busy, warn);
    // If it is empty, the process that created it may have been killed before it synced the folder.
    if (fstatSync(fd).size === 0) syncFolder(path);
  } catch (error) {
    throw ioError('cannot open the ledger', path, error);
  }
  const file = new GrowingFile(path, fd);
  const add = async (lines: string, sync: boolean): Promise<void> => {
    // The newline in front ends a line that a crash has torn, so that ours does not become its tail.
    const bytes = utf8Of(`\n${lines}`);
    try {
      // A truncated ledger has lost rows. A later line would claim that they are known.
      file.mustNotBeTruncated();
      const written = await writeOnce(fd, bytes);
      if (written < bytes.length)
        throw new Error(`${written} of ${bytes.length} bytes were written; is the disk full?`);
      if (sync && file.isFile) await datasync(fd);
      await file.check({ again: AGAIN });
    } catch (error) {
      throw ioError('cannot write to the ledger', path, error);
    }
  };
  return {
    append: async (entries: readonly Entry[], sync) => {
      if (entries.length > 0) await add(linesOf(entries, out, new Date().toISOString()), sync);
    },
    appendRows: async (uuids, ends, from, sync) => {
      if (uuids.length > 0) await add(linesOfRows(uuids, ends, from, out, new Date().toISOString()), sync);
    },
    async know(end, sync, seal) {
      if (out === undefined) throw new TaskpipeError('USAGE', 'the ledger was opened for no output');
      await add(knownLine(out, end, new Date().toISOString(), seal), sync);
    },
    check: () => file.check({ again: AGAIN }),
    close: async () => closeSync(fd),
  };
}
