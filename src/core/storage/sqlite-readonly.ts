import { constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ioError } from '../base/errors.ts';
import { isNoAccess } from './sqlite-errors.ts';

/** The part of a database that is needed here. */
interface Readable {
  exec(sql: string): Promise<void>;
  all(sql: string): Promise<unknown>;
  close(): void;
}

/** Suffixes of the logs of a database, without which SQLite cannot read its committed state. */
const LOGS = ['-wal', '-journal'];

/**
 * Opens a database read-only. SQLite needs to write beside a database in WAL mode. If the folder cannot be
 * written, a database without a log is opened as an immutable file, and one with a log as a copy.
 * @param open opens a name or URI as SQLite understands it
 */
export async function openReadOnly<T extends Readable>(path: string, open: (place: string) => T): Promise<T> {
  // A connection that may write removes the empty files that SQLite makes beside a database in WAL mode.
  for (const mode of existsSync(`${path}-wal`) ? ['ro'] : ['rw', 'ro']) {
    try {
      return await opened(open(uri(path, `mode=${mode}`)));
    } catch (error) {
      if (!isNoAccess(error) || !existsSync(path)) throw error;
    }
  }
  if (LOGS.every((log) => sizeOf(path + log) === 0)) return opened(open(uri(path, 'mode=ro&immutable=1')));
  return copyOf(path, open);
}

/** Runs a query, because SQLite only then reads the file. Closes the database if that fails. */
async function opened<T extends Readable>(database: T): Promise<T> {
  try {
    await database.exec('pragma query_only = 1');
    await database.all('select 1 from sqlite_schema limit 1');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function uri(path: string, parameters: string): string {
  return `${pathToFileURL(path).href}?${parameters}`;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * Opens a copy in the folder for temporary files. The files of the copy are unlinked at once, and stay
 * readable while they are open.
 */
async function copyOf<T extends Readable>(path: string, open: (place: string) => T): Promise<T> {
  const folder = copied(path);
  try {
    return await opened(open(join(folder, basename(path))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies a database with its logs. Returns the folder. @throws {TaskpipeError} `IO` */
function copied(path: string): string {
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'taskpipe-sqlite-'));
    for (const suffix of ['', ...LOGS])
      if (existsSync(path + suffix))
        copyFileSync(path + suffix, join(folder, basename(path)) + suffix, constants.COPYFILE_FICLONE);
    return folder;
  } catch (error) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    const doing = `the folder of ${path} cannot be written and a log lies beside it, so it is read from a copy; cannot write to`;
    throw ioError(doing, `${tmpdir()} (TMPDIR)`, error);
  }
}
