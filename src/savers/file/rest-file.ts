import {
  accessSync,
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { IdMap, type IdSet } from '../../core/ids/index.ts';
import { parseTask, readTasks } from '../../core/record/ndjson.ts';
import { stateOf, Task } from '../../core/record/task.ts';
import { datasync, modeOf, replaceFile, resolved, syncFolder, writeAll } from '../../core/storage/durable.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { NamedFile, sizeError } from '../../core/storage/named-file.ts';
import { encodeUtf8 } from '../../core/text/encoding.ts';
import { assertUtf8 } from '../foreign-form.ts';

/**
 * The rest file: all records that reached the saver and are not saved, the newest of each uuid. A run
 * collects its own records in a file beside it (`….run`), and merges the two at its end, or after a crash at
 * the next start. So a pipeline that reads the rest file never reads its own records.
 */
export interface Rest {
  readonly path: string;
  /** Adds records, each with its newline. With `sync`, they are on the disk when the promise resolves. */
  add(lines: string, sync: boolean): Promise<void>;
  /**
   * Merges the records that a run has collected into the rest file. Removes a rest file that would be empty.
   * @param saved uuids that are saved
   */
  merge(saved: Pick<IdSet, 'has'>): Promise<void>;
  /** True if an earlier run has left records that were not merged. */
  readonly isLeft: boolean;
  close(): void;
}

/**
 * Opens a rest file. Creates the file of the run only when it is needed.
 * @param name path of the rest file; if it is a symbolic link, its target is written
 * @param say writes a line to stderr
 * @throws {TaskpipeError} `IO`, or `USAGE` if it is not a file
 */
export function openRest(name: string, warn: (message: string) => void): Rest {
  const path = realRest(name);
  assertOwnRest(name, path);
  const run = `${path}.run`;
  let file: RunFile | undefined;
  const open = (): RunFile => {
    file ??= openRun(name, path, run, warn);
    return file;
  };
  const close = (): void => {
    if (file !== undefined) closeSync(file.fd);
    file = undefined;
  };
  return {
    path: name,
    get isLeft() {
      return file === undefined && existsSync(run);
    },
    async add(lines, sync) {
      const to = open();
      const bytes = Buffer.from(lines);
      try {
        await writeAll(to.fd, bytes);
        if (sync) await datasync(to.fd);
      } catch (error) {
        throw ioError('cannot write', run, error);
      }
      to.size += bytes.length;
      await checkRun(run, to);
    },
    async merge(saved) {
      if (file === undefined && !existsSync(path) && !existsSync(run)) return;
      await checkRun(run, open()); // takes the lock for merging
      await mergeFiles(path, run, saved);
      close();
    },
    close,
  };
}

/**
 * Resolves the path of the rest file.
 * @throws {TaskpipeError} at the start if it cannot be written, not hours later
 */
function realRest(name: string): string {
  try {
    const path = resolved(name);
    for (const file of [path, `${path}.run`, `${path}.new`]) modeOf(file);
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    if (existsSync(`${path}.run`)) accessSync(`${path}.run`, constants.R_OK | constants.W_OK);
    return path;
  } catch (error) {
    if (error instanceof TaskpipeError) throw error;
    const { message } = ioError('cannot write', name, error);
    throw new TaskpipeError(
      'IO',
      `${message}. Records that are not saved go there; name another file with --rest`,
      { cause: error },
    );
  }
}

/** Number of bytes of a rest file that are checked when it is opened. */
const LOOKED = 64 * 1024;

/**
 * Checks that a file can be the rest file: records that are saved are removed from it.
 * @throws {TaskpipeError} `DATA` if it is packed or not in UTF-8, `USAGE` if its first record is not a failure or a task
 *   that did not run
 */
function assertOwnRest(name: string, path: string): void {
  const first = firstBytes(path);
  assertUtf8(name, first);
  const end = first.indexOf('\n');
  const record = end < 0 ? undefined : parseTask(first.toString('utf8', 0, end));
  if (!(record instanceof Task) || stateOf(record) !== undefined) return;
  throw new TaskpipeError(
    'USAGE',
    `${name} is not a rest file of task-save, which would remove records from it: its first record has no run.state; name another file with --rest`,
  );
}

function firstBytes(path: string): Buffer {
  if (!existsSync(path)) return Buffer.alloc(0);
  try {
    const fd = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(LOOKED);
      return bytes.subarray(0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw ioError('cannot read', path, error);
  }
}

/** The open file of a run. */
interface RunFile {
  readonly fd: number;
  readonly verifiedEnd: NamedFile;
  /** Size that this process expects. */
  size: number;
}

/** Opens and locks the file of a run. It gets the permissions of the rest file: its records are equally private. */
function openRun(name: string, path: string, run: string, warn: (message: string) => void): RunFile {
  const busy = `${name} is being written by another task-save; name another file with --rest`;
  try {
    const mode = modeOf(path) ?? 0o666;
    const fd = openLocked(run, () => openSync(run, 'a+', mode), 'exclusive', busy, warn);
    const { size } = fstatSync(fd);
    // If it is empty, the process that created it may have been killed before it synced the folder.
    if (size === 0) syncFolder(run);
    return { fd, verifiedEnd: new NamedFile(run, fd), size };
  } catch (error) {
    throw ioError('cannot write', run, error);
  }
}

/**
 * @throws {TaskpipeError} `IO` if the file of a run was renamed, replaced, removed, truncated or appended to
 */
async function checkRun(run: string, { verifiedEnd, size }: RunFile): Promise<void> {
  const now = await verifiedEnd.check({
    contents: 'records that are not saved in it',
    again: ': their tasks are not in the ledger, and run again',
  });
  if (now !== size) throw sizeError(run, now, size);
}

/** Merges the run file into the rest file and removes it. Removes the rest file if it would be empty. */
async function mergeFiles(path: string, run: string, saved: Pick<IdSet, 'has'>): Promise<void> {
  try {
    const wasEmpty = statSync(path, { throwIfNoEntry: false })?.size === 0;
    const bytes = await replaceFile(path, merged(path, run, saved));
    if (bytes === 0 && !wasEmpty) await remove(path); // an empty file may belong to another program
    await remove(run);
  } catch (error) {
    throw ioError('cannot write', path, error);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw ioError('cannot remove', path, error);
  }
}

/** Yields the remaining records of the rest file, then those that the run has added. */
async function* merged(path: string, run: string, saved: Pick<IdSet, 'has'>): AsyncGenerator<Buffer> {
  const newest = new IdMap();
  let number = 0;
  for await (const batch of readRest(run)) {
    for (const record of batch) if (record instanceof Task) newest.set(record.uuid, number++);
  }
  // A record without a state is not ours.
  const isKept = (record: Task | Buffer): boolean =>
    !(record instanceof Task) ||
    stateOf(record) === undefined ||
    !(saved.has(record.uuid) || newest.has(record.uuid));
  for await (const batch of readRest(path)) yield bytesOf(batch.filter(isKept));
  number = 0;
  for await (const batch of readRest(run)) {
    // An invalid line was torn by a crash before it was acknowledged.
    const tasks = batch.filter((record) => record instanceof Task);
    yield bytesOf(tasks.filter(({ uuid }) => newest.get(uuid) === number++ && !saved.has(uuid)));
  }
}

function bytesOf(records: readonly (Task | Buffer)[]): Buffer {
  return Buffer.concat(
    records.map((record) => (record instanceof Task ? Buffer.from(`${record.line}\n`) : record)),
  );
}

/** Reads the records of a rest file, and its invalid lines as bytes. A missing file counts as empty. */
async function* readRest(path: string): AsyncGenerator<(Task | Buffer)[]> {
  if (!existsSync(path)) return;
  let foreign: Buffer[] = [];
  const reject = ({ text }: { text: string }): void => void foreign.push(encodeUtf8(`${text}\n`));
  const options = { source: path, reject, maxLine: Number.POSITIVE_INFINITY };
  const bytes = createReadStream(path, { highWaterMark: 128 * 1024 });
  try {
    for await (const tasks of readTasks(bytes, options)) {
      yield [...foreign, ...tasks];
      foreign = [];
    }
    if (foreign.length > 0) yield foreign;
  } catch (error) {
    if (error instanceof TaskpipeError) throw error;
    throw ioError('cannot read', path, error);
  }
}
