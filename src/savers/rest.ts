import { closeSync, createReadStream, existsSync, fstatSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { datasync, modeOf, replaceFile, resolved, syncFolder, writeAll } from '../core/durable.ts';
import { ioError, TaskpipeError } from '../core/errors.ts';
import { IdMap } from '../core/idmap.ts';
import type { IdSet } from '../core/idset.ts';
import { openLocked } from '../core/lock.ts';
import { readTasks } from '../core/ndjson.ts';
import { Task } from '../core/task.ts';
import { encodeUtf8 } from '../core/text.ts';

/**
 * The rest file: exactly the records that reached the saver and are not saved, the newest of each uuid. A run collects
 * its own beside it (`….run`), and merges the two at its end, or after a crash at the next start; so a pipeline that
 * reads the rest file never reads what it is writing.
 */
export interface Rest {
  readonly path: string;
  /** Adds records, each with its newline. With `sync` they are on the disk when it resolves. */
  add(lines: string, sync: boolean): Promise<void>;
  /**
   * Merges what a run has collected into the rest file. A rest file that would be empty goes away.
   * @param saved the uuids that are saved
   */
  merge(saved: Pick<IdSet, 'has'>): Promise<void>;
  /** Whether a run before this one has left records that were not merged. */
  readonly isLeft: boolean;
  close(): void;
}

/**
 * @param name its path; where that is a symbolic link, what it leads to is written
 * @param say a line on stderr
 * @throws {TaskpipeError} `IO`, or `USAGE` where it is no file
 */
export function openRest(name: string, say: (message: string) => void): Rest {
  const path = realRest(name);
  const run = `${path}.run`;
  let fd: number | undefined;
  const open = (): number => {
    fd ??= openRun(name, path, run, say);
    return fd;
  };
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    path: name,
    get isLeft() {
      return fd === undefined && existsSync(run);
    },
    async add(lines, sync) {
      const to = open();
      try {
        await writeAll(to, Buffer.from(lines));
        if (sync) await datasync(to);
      } catch (error) {
        throw ioError('cannot write', run, error);
      }
    },
    async merge(saved) {
      if (fd === undefined && !existsSync(path) && !existsSync(run)) return;
      open(); // whoever merges holds the lock
      await mergeFiles(path, run, saved);
      close();
    },
    close,
  };
}

function realRest(name: string): string {
  try {
    const path = resolved(name);
    modeOf(path); // before anything is done, as it would be of no use
    return path;
  } catch (error) {
    throw ioError('cannot write', name, error);
  }
}

/** Opens and locks the file of a run. It has the permissions of the rest file: its records are no less private. */
function openRun(name: string, path: string, run: string, say: (message: string) => void): number {
  const busy = `${name} is being written by another task-save; name another file with --rest`;
  try {
    const mode = modeOf(path) ?? 0o666;
    const fd = openLocked(run, () => openSync(run, 'a', mode), 'exclusive', busy, say);
    // Where it is empty, whoever made it may have been killed before its name was safe.
    if (fstatSync(fd).size === 0) syncFolder(run);
    return fd;
  } catch (error) {
    throw ioError('cannot write', run, error);
  }
}

/** Merges two files into the first one; the second goes away, and the first where nothing is left in it. */
async function mergeFiles(path: string, run: string, saved: Pick<IdSet, 'has'>): Promise<void> {
  try {
    const bytes = await replaceFile(path, merged(path, run, saved));
    if (bytes === 0) await remove(path);
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

/** What is left of the rest file, then what the run has added to it. */
async function* merged(path: string, run: string, saved: Pick<IdSet, 'has'>): AsyncGenerator<Buffer> {
  const newest = new IdMap();
  let number = 0;
  for await (const batch of readRest(run)) {
    for (const record of batch) if (record instanceof Task) newest.set(record.uuid, number++);
  }
  const isKept = (record: Task | Buffer): boolean =>
    !(record instanceof Task) || !(saved.has(record.uuid) || newest.has(record.uuid));
  for await (const batch of readRest(path)) yield bytesOf(batch.filter(isKept));
  number = 0;
  for await (const batch of readRest(run)) {
    // What is no record here was torn by a crash, before it was called safe.
    const tasks = batch.filter((record) => record instanceof Task);
    yield bytesOf(tasks.filter(({ uuid }) => newest.get(uuid) === number++ && !saved.has(uuid)));
  }
}

function bytesOf(records: readonly (Task | Buffer)[]): Buffer {
  return Buffer.concat(
    records.map((record) => (record instanceof Task ? Buffer.from(`${record.line}\n`) : record)),
  );
}

/** The records of a rest file; a line that is none as its bytes. No file is an empty one. */
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
