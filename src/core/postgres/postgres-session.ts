import { once } from 'node:events';
import type { Client } from 'pg';
import type { PostgresCell, PostgresSession } from './contract.ts';

/** Settings of every connection: texts of values do not depend on the server's configuration. */
const SETTINGS = [
  ...["datestyle = 'ISO'", "timezone = 'UTC'", "intervalstyle = 'iso_8601'", 'extra_float_digits = 1'],
  ...["bytea_output = 'hex'", 'standard_conforming_strings = on', "xmlbinary = 'base64'"],
];

/** Longest wait for a lock that another session holds, in milliseconds. */
export const LOCK_WAIT = 30_000;

/** Prepares a new connection. @param sync false if COMMIT need not wait for the disk */
export async function prepareSession(
  client: Client,
  number: number,
  sync: boolean,
): Promise<PostgresSession> {
  const more = [`lock_timeout = ${LOCK_WAIT}`, ...(sync ? [] : ['synchronous_commit = off'])];
  const session = sessionOf(client, number);
  await client.query([...SETTINGS, ...more].map((setting) => `set ${setting}`).join(';'));
  if (sync) await client.query(SURE); // a server may be configured to lose the last commits
  return session;
}

const SURE = `select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') = 'off'`;

function sessionOf(client: Client, number: number): PostgresSession {
  const ask = (text: string, values: readonly unknown[] = []) =>
    client.query<PostgresCell[]>({ text, values: [...values], rowMode: 'array' });
  return {
    number,
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

/**
 * Reads rows by a cursor of SQL. (A portal of the protocol, as in pg-cursor, waits for ever if the connection is lost
 * after its last row.)
 */
async function* batches(
  ask: PostgresSession['rows'],
  sql: string,
  size: number,
): AsyncGenerator<readonly (readonly PostgresCell[])[]> {
  const name = `taskpipe_${++cursors}`;
  await ask(`declare ${name} no scroll cursor for ${sql}`);
  for (;;) {
    const rows = await ask(`fetch ${size} from ${name}`);
    if (rows.length > 0) yield rows;
    if (rows.length < size) break;
  }
  await ask(`close ${name}`);
}

/** Parsers of values: each value stays the text that the server sent. */
export const AS_TEXT = { getTypeParser: () => (text: unknown) => text as never };
