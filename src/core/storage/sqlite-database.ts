import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ioError } from '../base/errors.ts';
import { PATIENCE, sqliteError } from './sqlite-errors.ts';
import { openReadOnly } from './sqlite-readonly.ts';

export { isSqlError, refusalOf } from './sqlite-errors.ts';

/** A value as SQLite has it. Whole numbers are bigints, so that 64 bits stay whole. */
export type Cell = string | number | bigint | Buffer | null;

/** A column of what a statement gives. */
export interface ResultColumn {
  readonly name: string;
  /** Where its values come from, and how that column was declared; null where they are computed. */
  readonly table: string | null;
  readonly column: string | null;
  readonly type: string | null;
}

export interface Statement {
  /** Runs it, at once: it blocks. Returns how many rows it has changed. */
  run(values: readonly Cell[]): number;
  /** Rows of the statement, read on demand. Do not use the statement again before they have ended. */
  rows(values?: readonly Cell[]): Promise<Iterable<readonly Cell[]>>;
  readonly columns: readonly ResultColumn[];
}

/** An open database. What it throws is a `TaskpipeError`: see `sqliteError`. */
export interface Database {
  /** As it is called in messages. */
  readonly path: string;
  /** Runs statements that give nothing. Syncs of the disk do not block. */
  exec(sql: string): Promise<void>;
  prepare(sql: string): Promise<Statement>;
  /** All rows of a statement. */
  all(sql: string, values?: readonly Cell[]): Promise<readonly (readonly Cell[])[]>;
  /** Whether a transaction is open. Some refusals end it. */
  readonly inTransaction: boolean;
  close(): void;
}

/** The library as it is used here. */
interface Native {
  readonly inTransaction: boolean;
  exec(sql: string): Promise<unknown>;
  prepare(sql: string): Promise<NativeStatement>;
  defaultSafeIntegers(toggle: boolean): unknown;
  close(): void;
}
interface NativeStatement {
  raw(on: boolean): NativeStatement;
  run(values: readonly Cell[]): { readonly changes: number };
  iterate(values: readonly Cell[]): Promise<Iterable<readonly Cell[]>>;
  columns(): readonly ResultColumn[];
}

/**
 * Opens a SQLite database; one that is written is made where there is none, and keeps a write-ahead log, so that
 * readers and one writer do not wait for each other, and a crash loses no transaction.
 * @param options.sync whether a transaction is on the disk when its COMMIT is done. Default true
 * @throws {TaskpipeError} `IO`, `DATA` if it is not a database, `LOCKED`
 */
export async function openDatabase(
  path: string,
  options: { readonly?: boolean; sync?: boolean } = {},
): Promise<Database> {
  const { readonly = false, sync = true } = options;
  checkAccess(path, readonly);
  const { default: Native } = (await import('libsql/promise')) as unknown as {
    default: new (path: string, options: { timeout: number }) => Native;
  };
  const open = (place: string): Database => {
    const native = new Native(place, { timeout: PATIENCE });
    native.defaultSafeIntegers(true);
    return wrap(path, native);
  };
  try {
    if (readonly) return await openReadOnly(resolve(path), open);
    const database = open(resolve(path)); // an absolute path: a name such as http: would be a server's
    try {
      await makeDurable(database, sync);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  } catch (error) {
    throw sqliteError('cannot open', path, error);
  }
}

async function makeDurable(database: Database, sync: boolean): Promise<void> {
  // A log that is copied back at every 1,000 pages is mostly copying: uuids are scattered over all pages.
  await database.all('pragma journal_mode = wal');
  await database.exec(
    `pragma synchronous = ${sync ? 'full' : 'off'}; pragma wal_autocheckpoint = 10000; pragma cache_size = -32000`,
  );
}

function checkAccess(path: string, readonly: boolean): void {
  try {
    if (readonly) accessSync(path, constants.R_OK);
    else if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
    else accessSync(dirname(resolve(path)), constants.W_OK);
  } catch (error) {
    throw ioError('cannot open', path, error);
  }
}

function wrap(path: string, native: Native): Database {
  const attempt = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch (error) {
      throw sqliteError('cannot use', path, error);
    }
  };
  const prepare = (sql: string): Promise<Statement> =>
    attempt(async () => statementOf(path, await native.prepare(sql)));
  return {
    path,
    exec: (sql) => attempt(async () => void (await native.exec(sql))),
    prepare,
    all: (sql, values = []) => attempt(async () => [...(await (await prepare(sql)).rows(values))]),
    get inTransaction() {
      return native.inTransaction;
    },
    close: () => native.close(),
  };
}

function statementOf(path: string, native: NativeStatement): Statement {
  return {
    run(values) {
      try {
        return native.run(values).changes;
      } catch (error) {
        throw sqliteError('cannot write to', path, error);
      }
    },
    async rows(values = []) {
      try {
        return guarded(path, await native.raw(true).iterate(values));
      } catch (error) {
        throw sqliteError('cannot read', path, error);
      }
    },
    get columns() {
      return native.columns();
    },
  };
}

function* guarded(path: string, rows: Iterable<readonly Cell[]>): Generator<readonly Cell[]> {
  try {
    yield* rows;
  } catch (error) {
    throw sqliteError('cannot read', path, error);
  }
}

/** Runs what is committed whole or not at all. */
export async function inTransaction<T>(database: Database, act: () => Promise<T>): Promise<T> {
  await database.exec('begin immediate');
  try {
    const result = await act();
    await database.exec('commit');
    return result;
  } catch (error) {
    await database.exec('rollback').catch(() => {}); // SQLite has rolled back by itself, as with a full disk
    throw error;
  }
}

/** A name in SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
