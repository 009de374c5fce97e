import { closeSync, fchmodSync, fstatSync, openSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { TaskpipeError } from '../../core/base/errors.ts';
import { datasync, resolved, syncFolder, writeAll } from '../../core/storage/durable.ts';
import { headerOf } from '../../core/storage/file-kind.ts';
import { lock } from '../../core/storage/lock.ts';
import { isFileAt } from '../../core/storage/named-file.ts';
import { neededLines } from './flow-log-read.ts';
import { RunEnds } from './run-ends.ts';

/** Log that has replaced another one. */
export interface CompactedLog {
  /** Descriptor, open for reading and appending, and locked. */
  readonly fd: number;
  readonly ends: RunEnds;
}

/**
 * Replaces a log by one that has only the lines that are still needed. A crash at any moment leaves the old log or the
 * whole new one at the path: the new one is written beside it (`FILE.new`), synced, locked, and then renamed. Nothing may be
 * appended meanwhile.
 * @param path absolute: user code may have changed the working folder
 * @param fd descriptor of the old log; it stays open
 * @param live keys of the runs that have not ended
 * @param finals states in which a run does not run again
 * @throws any error of the file system; the old log is then unchanged
 */
export async function compactFlowLog(
  path: string,
  fd: number,
  live: ReadonlySet<string>,
  finals: readonly unknown[],
): Promise<CompactedLog> {
  const target = resolved(path); // the rename would replace a symbolic link
  const temporary = `${target}.new`;
  const ends = new RunEnds();
  const { mode } = fstatSync(fd);
  await rm(temporary, { force: true }); // of a crash
  const made = openSync(temporary, 'ax+', mode);
  try {
    fchmodSync(made, mode & 0o777);
    const header = Buffer.from(`${headerOf('flow log')}\n`);
    await writeAll(made, header);
    for await (const lines of neededLines(target, live, { ends, finals, start: header.length }))
      await writeAll(made, lines);
    await datasync(made);
    if (!lock(made, 'exclusive', () => {})) throw new Error(`${temporary} is locked by another process`);
    if (!isFileAt(target, fstatSync(fd))) throw new TaskpipeError('IO', `${path} was replaced meanwhile`);
    await rename(temporary, target);
    syncFolder(target);
    return { fd: made, ends };
  } catch (error) {
    closeSync(made);
    await rm(temporary, { force: true });
    throw error;
  }
}
