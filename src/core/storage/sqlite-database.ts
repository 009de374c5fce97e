import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ioError } from '../base/errors.ts';
import { PATIENCE, sqliteError } from './sqlite-errors.ts';
import { openReadOnly } from './sqlite-readonly.ts';

export { isSqlError, refusalOf } from './sqlite-errors.ts';

/** Value of a cell. Whole numbers are bigints, so that all 64 bits are kept. */
export type Cell = string | number | bigint | Buffer | null;

/** Column of the result of a statement. */
export interface ResultColumn {
  readonly name: string;
  /** Table and column of its values, and the declared type; null if they are computed. */
  readonly table: string | null;
  readonly column: string | null;
  readonly type: string | null;
}

export interface Statement {
  /** Runs the statement and blocks until it is done. Returns the number of changed rows. */
  run(values: readonly Cell[]): number;
  /** Rows of the statement, read on demand. Do not use the statement again before they have ended. */
  rows(values?: readonly Cell[]): Promise<Iterable<readonly Cell[]>>;
  readonly columns: readonly ResultColumn[];
}

/** Open database. Its methods throw the errors that `sqliteError` returns. */
export interface Database {
  /** Path as the caller gave it, for messages. */
  readonly path: string;
  /** Runs statements without results. It does not block while the disk is synced. */
  exec(sql: string): Promise<void>;
  prepare(sql: string): Promise<Statement>;
  /** Returns all rows of a statement. */
  all(sql: string, values?: readonly Cell[]): Promise<readonly (readonly Cell[])[]>;
  /** True if a transaction is open. Some errors end it. */
  readonly inTransaction: boolean;
  close(): void;
}

/** The part of the library that is used here. */
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
 * Opens a SQLite database. Unless it is read-only, the database is created if it does not exist, and it keeps
 * a write-ahead log: readers and one writer do not wait for each other, and a crash loses no transaction.
 * @param options.sync true if COMMIT waits until the transaction is on the disk. Default true
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
    const database = open(resolve(path)); // absolute: the library treats a name such as http: as a server
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
  // A checkpoint of the log at every 1,000 pages would mostly copy: uuids are scattered over all pages.
  await database.all('pragma journal_mode = wal');
  await database.exec(
    `pragma synchronous = ${sync ? 'full' : 'off'}; pragma wal_autocheckpoint = 10000; pragma cache_size = -32000`,
  );
}

function checkAccess(path: string, readonly: boolean): void {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
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

/** Runs `act` in a transaction, which is rolled back if `act` throws. */
export async function inTransaction<T>(database: Database, act: () => Promise<T>): Promise<T> {
  await database.exec('begin immediate');
  try {
    const result = await act();
    await database.exec('commit');
    return result;
  } catch (error) {
    await database.exec('rollback').catch(() => {}); // fails if SQLite has rolled back already
    throw error;
  }
}

/** Returns a name quoted for SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
