import { closeSync, createReadStream, existsSync, openSync, writeSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { datasync, syncFolder } from '../core/durable.ts';
import { ioError, TaskpipeError } from '../core/errors.ts';
import { IdMap, type IdSet } from '../core/idset.ts';
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

/** @param say a line on stderr */
export function openRest(path: string, say: (message: string) => void): Rest {
  const run = `${path}.run`;
  let fd: number | undefined;
  const open = (): number => {
    const busy = `${path} is being written by another task-save; name another file with --rest`;
    try {
      fd ??= openLocked(run, () => openSync(run, 'a', 0o666), 'exclusive', busy, say);
      return fd;
    } catch (error) {
      throw ioError('cannot write', run, error);
    }
  };
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    path,
    get isLeft() {
      return fd === undefined && existsSync(run);
    },
    async add(lines, sync) {
      await writeWhole(open(), Buffer.from(lines), run, sync);
    },
    async merge(saved) {
      if (fd === undefined && !existsSync(path) && !existsSync(run)) return;
      open(); // whoever merges holds the lock
      await mergeFiles(path, run, saved);
      await rm(run, { force: true });
      close();
    },
    close,
  };
}

async function writeWhole(fd: number, bytes: Buffer, path: string, sync: boolean): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    if (sync) await datasync(fd);
  } catch (error) {
    throw ioError('cannot write', path, error);
  }
}

/** Merges two files into the first one, by a temporary file that is renamed. */
async function mergeFiles(path: string, run: string, saved: Pick<IdSet, 'has'>): Promise<void> {
  const temporary = `${path}.new`;
  try {
    const fd = openSync(temporary, 'w', 0o666);
    let bytes = 0;
    try {
      for await (const lines of merged(path, run, saved)) {
        const all = Buffer.concat(lines);
        bytes += all.length;
        await writeWhole(fd, all, temporary, false);
      }
      await datasync(fd);
    } finally {
      closeSync(fd);
    }
    if (bytes > 0) await rename(temporary, path);
    else for (const gone of [temporary, path]) await rm(gone, { force: true });
    syncFolder(path);
  } catch (error) {
    throw ioError('cannot write', path, error);
  }
}

/** What is left of the rest file, then what the run has added to it. */
async function* merged(path: string, run: string, saved: Pick<IdSet, 'has'>): AsyncGenerator<Buffer[]> {
  const newest = new IdMap();
  let number = 0;
  for await (const batch of readRest(run)) {
    for (const record of batch) if (record instanceof Task) newest.set(record.uuid, number++);
  }
  const isKept = (record: Task | Buffer): boolean =>
    !(record instanceof Task) || !(saved.has(record.uuid) || newest.has(record.uuid));
  for await (const batch of readRest(path)) yield batch.filter(isKept).map(bytesOf);
  number = 0;
  for await (const batch of readRest(run)) {
    // What is no record here was torn by a crash, before it was called safe.
    const tasks = batch.filter((record) => record instanceof Task);
    yield tasks.filter(({ uuid }) => newest.get(uuid) === number++ && !saved.has(uuid)).map(bytesOf);
  }
}

function bytesOf(record: Task | Buffer): Buffer {
  return record instanceof Task ? Buffer.from(`${record.line}\n`) : record;
}

/** The records of a rest file; a line that is none as its bytes. No file is an empty one. */
async function* readRest(path: string): AsyncGenerator<(Task | Buffer)[]> {
  if (!existsSync(path)) return;
  let foreign: Buffer[] = [];
  const reject = ({ text }: { text: string }): void => void foreign.push(encodeUtf8(`${text}\n`));
  const options = { source: path, reject, maxLine: Number.POSITIVE_INFINITY };
  const bytes = createReadStream(path, { highWaterMark: 1024 * 1024 });
  try {
    for await (const tasks of readTasks(bytes, options)) {
      yield [...foreign, ...tasks];
      foreign = [];
    }
  } catch (error) {
    if (error instanceof TaskpipeError) throw error;
    throw ioError('cannot read', path, error);
  }
}
