import { messageOf, systemCode, TaskpipeError } from '../base/errors.ts';
import { scrubbed } from '../options/secrets.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { LOCK_WAIT } from './postgres-session.ts';
import { NO_TLS } from './postgres-tls.ts';

/** Message of a connection that was closed because the server did not answer. */
export const SILENT = 'no answer';

/** Error of the server, with its code. */
interface SqlError extends Error {
  /** SQLSTATE, of five characters. */
  readonly code: string;
  readonly detail?: string;
  readonly hint?: string;
  readonly table?: string;
  readonly where?: string;
  /** Function of the server that reports the error. */
  readonly routine?: string;
}

/** Returns whether the server has sent an error. */
export function isSqlFault(error: unknown): error is SqlError {
  return error instanceof Error && /^[\dA-Z]{5}$/.test(systemCode(error) ?? '') && 'severity' in error;
}

/** Codes of temporary errors: of lost connections, starts and stops of a server, conflicts, and read-only copies. */
const PASSING = /^(?:08...|57P0[1235]|25P0[34]|53300|40001|40P01|25006|57014)$/;

/** Returns whether another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TaskpipeError) return false;
  if (isSqlFault(error)) return PASSING.test(error.code);
  return !isHopeless(error);
}

/** Code of a write in a session or on a server that only reads. */
const READ_ONLY = '25006';

/**
 * Codes after which a connection is useless. After a failover, a connection to the former primary stays read-only.
 */
const LOST = /^(?:08...|57P..|25P0[34]|25006)$/;

/** Returns whether the connection is lost, or must not be used again. */
export function isLost(error: unknown): boolean {
  return !isSqlFault(error) || LOST.test(error.code);
}

/** Returns whether a statement tried to write in a session, or on a server, that only reads. */
export function isWrite(error: unknown): error is SqlError {
  return isSqlFault(error) && error.code === READ_ONLY;
}

/** Errors of the network or of TLS that retrying cannot fix. */
const HOPELESS =
  /does not support SSL|SSL connection|certificate|self-signed|altnames|ENOTFOUND|SASL|must be a string/i;

function isHopeless(error: unknown): boolean {
  return (
    HOPELESS.test(messageOf(error)) || /CERT|ALTNAME|ERR_TLS|ERR_SSL|ERR_OSSL/.test(systemCode(error) ?? '')
  );
}

/**
 * Codes of errors about the values of a row: of their types, of constraints, of views and generated columns, of limits of
 * a row or an index entry (54), and of triggers (21, 38, 39, P0).
 */
const REFUSALS = /^(?:21|22|23|38|39|44|5400[01]|P0|428C9)/;

/** Functions of the server that refuse a row with any code: `RAISE` of a trigger, and the policy of a table. */
const REFUSING = ['exec_stmt_raise', 'ExecWithCheckOptions'];

/** Returns the reason a row was refused, if the error is about its values; undefined for another error. */
export function refusalOfRow(error: unknown): string | undefined {
  if (!isSqlFault(error)) return undefined;
  if (!REFUSALS.test(error.code) && !REFUSING.includes(error.routine ?? '')) return undefined;
  return [error.message, error.detail, error.where?.split('\n')[0]].filter(Boolean).join('; ');
}

/** Returns the error of a statement or of a connection, with its reason and what to do. */
export function postgresFault(error: unknown, address: PostgresAddress): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  const { place } = address;
  const [code, words] = isSqlFault(error)
    ? reasonOf(error, address)
    : (['IO', networkReason(error, address)] as const);
  return new TaskpipeError(code, scrubbed(`${place}: ${words}`), { cause: error });
}

function networkReason(error: unknown, { host, port }: PostgresAddress): string {
  const words = messageOf(error);
  const server = host.startsWith('/') ? `the socket ${host}/.s.PGSQL.${port}` : `${host}, port ${port}`;
  const code = systemCode(error) ?? '';
  if (['ECONNREFUSED', 'ENOENT'].includes(code))
    return `nothing listens at ${server}; does PostgreSQL run there?`;
  if (/ENOTFOUND|EAI_AGAIN/.test(code)) return `no such host ${host}; is its name right?`;
  if (words.includes('timeout expired') || words.includes(SILENT) || code === 'ETIMEDOUT')
    return `no answer from ${server}`;
  if (words === NO_TLS) return 'the server does not speak TLS; say sslmode=disable to connect without it';
  if (/altnames|ALTNAME/.test(words + code))
    return `${words}; give the name in the certificate, or sslmode=verify-ca`;
  if (/certificate|self-signed|CERT/.test(words + code))
    return `the certificate of the server is not trusted (${words}); name its authority with sslrootcert=FILE`;
  if (/SASL.*password|password must be/i.test(words))
    return `the server wants a password; ${PASSWORD_PLACES}`;
  if (/Connection terminated|ECONNRESET|EPIPE|not queryable/.test(words + code))
    return 'the connection was lost';
  return words;
}

const PASSWORD_PLACES = 'set PGPASSWORD or PGPASSFILE, or say ?password-file=FILE in the url';

type Reason = readonly ['DATA' | 'IO' | 'LOCKED' | 'USAGE', string];

function reasonOf(error: SqlError, { user, database }: PostgresAddress): Reason {
  const { code } = error;
  const words = [error.message, error.detail?.replace(/\.$/, '')].filter(Boolean).join('; ');
  const table = error.table === undefined ? '' : ` of the table ${error.table}`;
  if (code === '28P01' || code === '28000')
    return ['IO', `the login of ${user} failed (${words}); ${PASSWORD_PLACES}`];
  if (code === '3D000') return ['IO', `${words}; make it with: createdb ${database}`];
  if (code === '42501' && /must be owner/.test(words))
    return ['IO', `${words}; run the command as its owner, or add what it lacks with ALTER TABLE`];
  if (code === '3F000')
    return ['IO', `${words}; name the schema of ${user} with: ALTER ROLE ${user} SET search_path = public`];
  if (code === '22P05')
    return ['DATA', `${words}; a database for all texts is made with: createdb --encoding UTF8`];
  if (code === '42501') return ['IO', `${words}; the owner can allow it with GRANT … TO ${user}`];
  if (code === '53100')
    return ['IO', `the disk of the server is full (${words}); make room, and run the same command again`];
  if (code === '53300') return ['IO', `${words}; raise max_connections of the server, or run fewer commands`];
  if (code === READ_ONLY)
    return ['IO', `the database is read-only (${words}); is this server a copy? Give its primary`];
  if (code === '55P03')
    return [
      'LOCKED',
      `another session has held a lock${table} for ${LOCK_WAIT / 1000} s; SELECT * FROM pg_stat_activity tells which; run the same command again when it is done`,
    ];
  if (/^57P0/.test(code)) return ['IO', `${words}; run the same command again when the server is up`];
  const hint = error.hint === undefined ? '' : ` (${error.hint})`;
  return [/^(?:0A|22|23|42|55000)/.test(code) ? 'DATA' : 'IO', `${words}${hint}`];
}
