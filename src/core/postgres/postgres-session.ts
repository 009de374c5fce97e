import { once } from 'node:events';
import type { Client } from 'pg';
import type { PostgresCell, PostgresSession } from './contract.ts';

/** Settings of every connection: texts of values do not depend on the server's configuration. */
const SETTINGS = [
  ...["datestyle = 'ISO'", "timezone = 'UTC'", "intervalstyle = 'iso_8601'", 'extra_float_digits = 1'],
  ...["bytea_output = 'hex'", 'standard_conforming_strings = on', "xmlbinary = 'base64'", 'array_nulls = on'],
  ...["default_transaction_isolation = 'read committed'", 'default_transaction_deferrable = off'],
];

/**
 * Returns SQL that turns off the limits of time that the server, a database or a role sets for its sessions: reading
 * a list takes as long as its tasks do, and silence is noticed by `PostgresLink`. The limits in `PGOPTIONS` come from
 * the user, and stay. A server does not have all of these settings.
 */
function noLimits(isLocal: boolean): string {
  return `select set_config(name, '0', ${isLocal}) from pg_settings
  where name in ('statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
    'transaction_timeout') and setting <> '0' and source <> 'client'`;
}

/** Longest wait for a lock that another session holds, in milliseconds. */
export const LOCK_WAIT = 30_000;

/** Prepares a new connection. @param sync false if COMMIT need not wait for the disk */
export async function prepareSession(
  client: Client,
  number: number,
  sync: boolean,
): Promise<PostgresSession> {
  const more = [`lock_timeout = ${LOCK_WAIT}`, ...(sync ? [] : ['synchronous_commit = off'])];
  const sqlOf = (isLocal: boolean): string => {
    const sets = [...SETTINGS, ...more].map((setting) => `set ${isLocal ? 'local ' : ''}${setting}`);
    // a server may be configured to lose the last commits
    return [...sets, noLimits(isLocal), ...(sync ? [sureCommits(isLocal)] : [])].join(';');
  };
  await client.query(sqlOf(false));
  return sessionOf(client, number, (await isPooled(client)) ? sqlOf(true) : undefined);
}

function sureCommits(isLocal: boolean): string {
  return `select set_config('synchronous_commit', 'on', ${isLocal})
    where current_setting('synchronous_commit') = 'off'`;
}

/** Returns whether a pooler stands between: a pooler gives its clients its own process ids. */
async function isPooled(client: Client): Promise<boolean> {
  const { rows } = await client.query<string[]>({ text: 'select pg_backend_pid()', rowMode: 'array' });
  return Number(rows[0]?.[0]) !== processOf(client);
}

/** Returns the process id of the session of a client, as the server reported it. */
export function processOf(client: Client): number | null {
  return (client as unknown as { processID: number | null }).processID;
}

/** Returns a session. @param settings SQL that repeats the settings of the session in a transaction; undefined if none is needed */
function sessionOf(client: Client, number: number, settings: string | undefined): PostgresSession {
  const ask = (text: string, values: readonly unknown[] = []) =>
    client.query<PostgresCell[]>({ text, values: [...values], rowMode: 'array' });
  return {
    number,
    isPooled: settings !== undefined,
    async begin(mode = '') {
      await client.query(settings === undefined ? `begin ${mode}` : `begin ${mode};${settings}`);
    },
    exec: async (sql) => void (await client.query(sql)),
    fields: async (text) => (await client.query({ text, rowMode: 'array' })).fields,
    rows: async (sql, values) => (await ask(sql, values)).rows,
    change: async (sql, values) => (await ask(sql, values)).rowCount ?? 0,
    copy: (sql, rows) => copy(client, sql, rows),
    batches: (sql, size) => batches(async (text) => (await ask(text)).rows, sql, size),
  };
}

async function copy(client: Client, sql: string, rows: Buffer): Promise<number> {
  const { from } = await import('pg-copy-streams');
  const stream = client.query(from(sql));
  const end = once(stream, 'finish'); // rejects with an error of the stream
  stream.end(rows);
  await end;
  return stream.rowCount;
}

let cursors = 0;

/** Number of rows that are read first, when their size is not known. */
const FIRST = 10;
/** Characters of rows that are held in memory at once. */
const HELD = 4_000_000;

/**
 * Reads rows by a cursor of SQL, fewer at a time if they are long. (A portal of the protocol, as in pg-cursor, waits
 * forever if the connection is lost after its last row.)
 */
async function* batches(
  ask: PostgresSession['rows'],
  sql: string,
  size: number,
): AsyncGenerator<readonly (readonly PostgresCell[])[]> {
  const name = `taskpipe_${++cursors}`;
  await ask(`declare ${name} no scroll cursor for ${sql}`);
  for (let count = Math.min(size, FIRST); ; ) {
    const rows = await ask(`fetch ${count} from ${name}`);
    if (rows.length > 0) yield rows;
    if (rows.length < count) break;
    const fitting = Math.floor((count * HELD) / Math.max(1, lengthOf(rows)));
    count = Math.max(1, Math.min(size, count * 4, fitting));
  }
  await ask(`close ${name}`);
}

function lengthOf(rows: readonly (readonly PostgresCell[])[]): number {
  let length = 0;
  for (const row of rows) for (const cell of row) length += cell?.length ?? 0;
  return length;
}

/** Parsers of values: each value stays the text that the server sent. */
export const AS_TEXT = { getTypeParser: () => (text: unknown) => text as never };
