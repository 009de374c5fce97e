import { TaskpipeError } from '../../core/base/errors.ts';
import type { PostgresLink, PostgresSession } from '../../core/postgres/contract.ts';
import { postgresAddress } from '../../core/postgres/postgres-address.ts';
import { isWrite } from '../../core/postgres/postgres-faults.ts';
import { openPostgres } from '../../core/postgres/postgres-link.ts';
import { declaredTable, TABLE, tableName, visibleTables } from '../../core/postgres/postgres-table.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import type { Loaded, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { type PreparedQuery, prepareRead } from './postgres-columns.ts';
import { PostgresRowReader } from './row-reader.ts';

/** Number of rows that are read at a time. */
const BATCH = 500;

/**
 * Reads rows of a database of PostgreSQL with a cursor, in a transaction that only reads and sees one state. A column
 * becomes an attribute, unless it is NULL. Rows that `task-save` has saved become the same records again. Rows are
 * numbered from 1.
 * @throws {TaskpipeError} `IO`, `USAGE` if the SQL is invalid
 */
export async function* postgres(url: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  const address = postgresAddress(url);
  if (address.ledger !== undefined)
    throw new TaskpipeError('USAGE', `${address.place} is a ledger; task-done list writes its uuids`);
  const { patience, signal: stopping } = options;
  const link = openPostgres(address, { patience, stopping, warn: options.info });
  try {
    const { session, query, hasBytes } = await begin(link, options, options.table ?? address.table ?? TABLE);
    if (query.isInexact)
      options.info(
        '--query does not select the column exact of the table: without it, values of other types than their column, and null, may come back changed',
      );
    const reader = new PostgresRowReader(query.columns, hasBytes);
    let line = 0;
    for await (const rows of link.batches(session, query.sql, BATCH)) {
      const batch: Loaded[] = [];
      for (const row of rows) {
        const record = recordIn(reader.read(row), ++line, options);
        if (record !== undefined) batch.push(record);
      }
      yield batch;
    }
  } catch (error) {
    if (stopping?.aborted) return; // the stage reports that it was stopped
    throw queryFault(error, link, options.query);
  } finally {
    await link.close();
  }
}

interface Begun {
  readonly session: PostgresSession;
  readonly query: PreparedQuery;
  /** True if text may be any bytes: the database has no encoding. */
  readonly hasBytes: boolean;
}

/** Connects, begins the transaction and prepares the query. */
function begin(link: PostgresLink, options: ReadOptions, table: string): Promise<Begun> {
  return link.run(async (session) => {
    await session.begin('isolation level repeatable read read only');
    const [[encoding] = []] = await session.rows('show server_encoding');
    const text = options.query ?? (await wholeOf(session, link.address.place, table));
    try {
      const query = await prepareRead(session, text, options.rename);
      return { session, query, hasBytes: encoding === 'SQL_ASCII' };
    } catch (error) {
      throw isWrite(error) ? queryFault(error, link, text) : error; // other servers would not let it write
    }
  });
}

async function wholeOf(session: PostgresSession, place: string, table: string): Promise<string> {
  const sql = tableName(table);
  if ((await declaredTable(session, sql)) !== undefined) return `select * from ${sql}`;
  const names = await visibleTables(session);
  const there =
    names.length === 0 ? 'it has none' : `it has ${names.join(', ')}; name one with --table, or say --query`;
  throw new TaskpipeError('USAGE', `${place} has no table ${table}: ${there}`);
}

/** Returns the error of a query; an error in its SQL has the code `USAGE`. */
function queryFault(error: unknown, link: PostgresLink, query: string | undefined): TaskpipeError {
  if (isWrite(error)) {
    const statement = query === undefined ? '' : `; the statement is ${query}`;
    return new TaskpipeError(
      'USAGE',
      `${link.address.place}: it may only be read (${error.message})${statement}`,
    );
  }
  const fault = link.fault(error);
  if (query === undefined || fault.code !== 'DATA') return fault;
  return new TaskpipeError('USAGE', `--query: ${fault.message}; the statement is ${query}`, { cause: error });
}

/** Returns a row as a record. Rejects an invalid row and returns undefined. */
function recordIn(
  row: ReturnType<PostgresRowReader['read']>,
  line: number,
  options: ReadOptions,
): Loaded | undefined {
  const { source } = options;
  if (typeof row !== 'string') {
    options.reject({
      source,
      line,
      code: 'UTF8',
      message: `the column ${row.column} is not valid UTF-8`,
      text: row.text,
    });
    return undefined;
  }
  const record = parseRecord(row);
  if (record === undefined || 'code' in record) {
    options.reject({ source, line, text: row, ...(record ?? { code: 'JSON', message: 'not a record' }) });
    return undefined;
  }
  return new JsonLoaded({ ...record, line }, options);
}
