import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ioError, messageOf, systemCode, TaskpipeError } from './errors.ts';

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
  /** What it gives, read as it is asked for. Nobody else may ask it before that has come to its end. */
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
  close(): void;
}

/** How the library looks from here. */
interface Native {
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

/** How long a database may be busy with another writer, in milliseconds. */
const PATIENCE = 30_000;

/**
 * Opens a SQLite database; one that is written is made where there is none, and keeps a write-ahead log, so that
 * readers and one writer do not wait for each other, and a crash loses no transaction.
 * @param options.sync whether a transaction is on the disk when its COMMIT is done. Default true
 * @throws {TaskpipeError} `IO`, `DATA` where it is no database, `LOCKED`
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
  try {
    // An absolute path: a name such as http: would be a server's.
    const place = readonly
      ? `file:${encodeURI(resolve(path)).replace(/[?#]/g, encodeURIComponent)}?mode=ro`
      : resolve(path);
    const native = new Native(place, { timeout: PATIENCE });
    native.defaultSafeIntegers(true);
    const database = wrap(path, native);
    if (readonly) await database.all('select 1 from sqlite_schema limit 1');
    else await makeDurable(database, sync);
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
      const rows = await native.raw(true).iterate(values);
      return guarded(path, rows);
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

const NO_ROOM = ['SQLITE_FULL', 'SQLITE_IOERR_WRITE', 'SQLITE_IOERR_SHMSIZE'];

/** What SQLite says as an error of ours: what it says of SQL itself is left as it is. */
export function sqliteError(doing: string, path: string, error: unknown): Error {
  if (error instanceof TaskpipeError) return error;
  const code = systemCode(error) ?? '';
  const words = messageOf(error);
  const fail = (ours: 'DATA' | 'IO' | 'LOCKED', why: string): TaskpipeError =>
    new TaskpipeError(ours, `${doing} ${path}: ${why}`, { cause: error });
  if (code === 'SQLITE_NOTADB' || words.includes('file is not a database'))
    return fail('DATA', 'it is not a SQLite database; name another file');
  if (code.startsWith('SQLITE_CORRUPT'))
    return fail('DATA', `the database is damaged (${words}); sqlite3 FILE .recover may save what is in it`);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return fail(
      'LOCKED',
      `another program has been writing to it for ${PATIENCE / 1000} s; try again when it is done`,
    );
  if (NO_ROOM.includes(code))
    return fail('IO', `no space left on the device, or the file has reached its size limit`);
  if (/^SQLITE_(IOERR|READONLY|CANTOPEN|PERM|AUTH)/.test(code) || words.includes('ConnectionFailed'))
    return fail('IO', words);
  return error instanceof Error ? error : new Error(words);
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
