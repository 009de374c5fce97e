import { closeSync, createReadStream, existsSync, openSync } from 'node:fs';
import { ioError } from '../../core/base/errors.ts';
import { readTasks } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import { datasync, syncFolder, writeAll } from '../../core/storage/durable.ts';
import { assertOwnFile, beginWithHeader } from '../../core/storage/file-kind.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { GrowingFile } from '../../core/storage/named-file.ts';

/** File of added tasks. A task is in it before the record of the task that added it is passed on. */
export interface Spool {
  /** Returns the tasks that earlier runs left in it. */
  tasks(): AsyncIterable<readonly Task[]>;
  /** Adds tasks. Resolves when they are on the disk. @throws {TaskpipeError} `IO` */
  add(tasks: readonly Task[]): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a spool, and creates it if it does not exist: NDJSON after a header, which is only appended to.
 * @param say writes a line to stderr
 * @throws {TaskpipeError} `LOCKED` if another task-exec writes to it; `USAGE` or `DATA` if it is another kind of
 *   file; `IO`
 */
export function openSpool(path: string, warn: (message: string) => void): Spool {
  const busy = `${path} is being written by another task-exec; name another file with --spool`;
  let fd: number;
  try {
    assertOwnFile(path, 'spool');
    const isNew = !existsSync(path);
    fd = openLocked(path, () => openSync(path, 'a+', 0o666), 'exclusive', busy, warn);
    if (isNew) syncFolder(path);
    beginWithHeader(path, fd, 'spool');
  } catch (error) {
    throw ioError('cannot open --spool', path, error);
  }
  const file = new GrowingFile(path, fd);
  const place = steadyPath(path);
  let waiting = '';
  let running: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    const lines = waiting;
    waiting = '';
    try {
      // The leading newline ends a line that a crash left incomplete.
      await writeAll(fd, Buffer.from(`\n${lines}`));
      await datasync(fd);
      await file.check({ again: ': tasks that were found are found again' });
    } catch (error) {
      throw ioError('cannot write --spool', path, error);
    }
  };
  return {
    tasks: () => {
      const bytes = createReadStream(place(), { highWaterMark: 1024 * 1024 });
      // The header is not a task. Another invalid line was torn by a crash: the record of its parent was not written, so it
      // will be added again.
      return readTasks(bytes, { source: path, reject: () => {}, maxLine: Number.POSITIVE_INFINITY });
    },
    async add(tasks) {
      for (const { line } of tasks) waiting += `${line}\n`;
      // Tasks that arrive during a sync go with the next batch.
      while (running !== undefined && waiting !== '') await running;
      if (waiting === '') return running;
      running = write().finally(() => {
        running = undefined;
      });
      return running;
    },
    async close() {
      await running?.catch(() => {});
      closeSync(fd);
    },
  };
}
