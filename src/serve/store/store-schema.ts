import { openSync, realpathSync } from 'node:fs';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { openLocked } from '../../core/storage/lock.ts';
import type { Database } from '../../core/storage/sqlite-database.ts';

/** Schema of the queue: accepted tasks in their order. Results are in the table `tasks`, as `task-save` writes it. */
const SCHEMA = `
  create table if not exists submissions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT NOT NULL UNIQUE,
    line TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted TEXT NOT NULL,
    finished TEXT,
    started TEXT,
    stack TEXT,
    deaths REAL,
    together INTEGER
  );
  create index if not exists submissions_by_state on submissions (state, seq);
`;

/** Columns that are missing in stores of earlier versions. */
const LATER = ['started TEXT', 'stack TEXT', 'deaths REAL', 'together INTEGER'];

/** Index for finding old ended tasks. */
const BY_END = 'create index if not exists submissions_by_end on submissions (finished)';

/**
 * Creates the tables of the queue, or upgrades them.
 * @param isPruned true if old tasks will be deleted
 * @throws {TaskpipeError} `DATA` if the database has another table of that name
 */
export async function prepareQueue(database: Database, path: string, isPruned: boolean): Promise<void> {
  try {
    await database.exec(SCHEMA);
    const columns = await database.all("select name from pragma_table_info('submissions')");
    const known = new Set(columns.map(([name]) => name));
    for (const column of LATER)
      if (!known.has(column.split(' ')[0]))
        await database.exec(`alter table submissions add column ${column}`);
    if (isPruned) await database.exec(BY_END);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TaskpipeError('DATA', `${path} has a table submissions that task-serve did not make: ${why}`);
  }
}

/**
 * Locks a store for one service. The lock is a separate file: SQLite would release a lock on the database file. It is
 * next to the file itself, so that a symbolic link leads to the same lock.
 */
export function lockOf(path: string, warn: (message: string) => void): number {
  const file = `${realpathSync(path)}-serve`;
  const busy = `${path} is in use by another task-serve; name another store with --store`;
  try {
    return openLocked(file, () => openSync(file, 'a', 0o600), 'exclusive', busy, warn);
  } catch (error) {
    throw ioError('cannot open', file, error);
  }
}
