import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { env } from 'node:process'; // the variables of libpq, which the library pg reads too
import { ioError, TaskpipeError } from '../base/errors.ts';
import { type PostgresUrl, postgresParts } from './postgres-url.ts';
import { serviceSettings } from './service-file.ts';

/** Address of a database of PostgreSQL, and the credentials for it. */
export interface PostgresAddress {
  /** Host, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Password; undefined to use the one in the password file of PostgreSQL (`PGPASSFILE`). */
  readonly password: string | undefined;
  readonly tls: PostgresTls;
  /** Name of a ledger; undefined if the place is a table. */
  readonly ledger: string | undefined;
  readonly table: string | undefined;
  /** Maximum duration of one attempt to connect, in milliseconds. */
  readonly connectWithin: number;
  readonly applicationName: string;
  /** Url without user, password and files, for messages. */
  readonly place: string;
}

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** TLS of a connection, with the modes and files of libpq. */
export interface PostgresTls {
  readonly mode: (typeof MODES)[number];
  /** File of a certificate authority; `system` for the public ones. */
  readonly rootCert: string | undefined;
  /** Files of the client's certificate and its key. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
}

/** Parameters of a url, each with the variable of libpq that holds its default. */
const PARAMETERS: Readonly<Record<string, string | undefined>> = {
  ledger: undefined,
  table: undefined,
  'password-file': undefined,
  service: 'PGSERVICE',
  host: 'PGHOST',
  port: 'PGPORT',
  user: 'PGUSER',
  dbname: 'PGDATABASE',
  password: 'PGPASSWORD',
  sslmode: 'PGSSLMODE',
  sslrootcert: 'PGSSLROOTCERT',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  application_name: 'PGAPPNAME',
};

const SOCKETS = '/var/run/postgresql';
/** Default port. */
export const PORT = 5432;
/** Default duration of one attempt to connect, in milliseconds. */
const CONNECTING = 5000;

/** Returns whether a place is in a database of PostgreSQL. */
export function isPostgres(place: string | undefined): boolean {
  return place !== undefined && /^postgres(?:ql)?:\/\//i.test(place);
}

/**
 * Parses `postgres://user@host:5432/database?table=T`. Missing parts come from the variables of libpq, and from a
 * service file.
 * @throws {TaskpipeError} `USAGE` if the url is invalid, `IO` if a file cannot be read
 */
export function postgresAddress(typed: string): PostgresAddress {
  const url = postgresParts(typed);
  checkNames(url);
  const service = url.query.get('service') ?? env.PGSERVICE;
  const settings = service ? serviceSettings(service, env) : new Map<string, string>();
  const get = (name: string): string | undefined => {
    const variable = PARAMETERS[name];
    const found = url.query.get(name) ?? settings.get(name) ?? (variable && env[variable]);
    return found || undefined;
  };
  const user = url.user ?? get('user') ?? userInfo().username;
  const port = portOf(url.port ?? get('port'), url.place);
  const host = url.host ?? get('host') ?? (existsSync(`${SOCKETS}/.s.PGSQL.${port}`) ? SOCKETS : 'localhost');
  const database = url.database ?? get('dbname') ?? user;
  const file = url.query.get('password-file');
  return {
    ...{ host, port, database, user },
    password: url.password ?? (file === null ? get('password') : secretIn(file)),
    tls: tlsOf(get, url.place),
    ledger: ledgerOf(url),
    table: url.query.get('table') ?? undefined,
    connectWithin: Number(get('connect_timeout') ?? 0) * 1000 || CONNECTING,
    applicationName: get('application_name') ?? 'taskpipe',
    place: placeOf(host, port, database, url),
  };
}

/**
 * Parses the url of a database that holds queues: it names no table and no ledger.
 * @param passwordFile file with the password, in place of the one in the url
 * @throws {TaskpipeError} as `postgresAddress`
 */
export function queueDatabase(typed: string, passwordFile: string | undefined): PostgresAddress {
  const address = postgresAddress(typed);
  for (const key of ['ledger', 'table'] as const)
    if (address[key] !== undefined)
      throw new TaskpipeError(
        'USAGE',
        `${address.place}: a queue has its own tables, and its name is --name; leave out ${key}=`,
      );
  return passwordFile === undefined ? address : { ...address, password: secretIn(passwordFile) };
}

/** Returns whether two addresses name the same database. */
export function isSameDatabase(one: PostgresAddress, other: PostgresAddress): boolean {
  return one.host === other.host && one.port === other.port && one.database === other.database;
}

function checkNames({ query, place }: PostgresUrl): void {
  const names = Object.keys(PARAMETERS);
  for (const key of query.keys())
    if (!names.includes(key))
      throw new TaskpipeError(
        'USAGE',
        `${place}: after the ? may stand ${names.join(', ')}; got ${JSON.stringify(key)}`,
      );
}

function portOf(typed: string | undefined, place: string): number {
  const port = Number(typed ?? PORT);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new TaskpipeError(
    'USAGE',
    `${place}: the port is a number up to 65535; got ${JSON.stringify(typed)}`,
  );
}

function ledgerOf({ query, place }: PostgresUrl): string | undefined {
  const name = query.get('ledger');
  if (name === null) return undefined;
  if (query.has('table'))
    throw new TaskpipeError('USAGE', `${place}: give either ledger=NAME or table=NAME, not both`);
  if (/^\P{Cc}{1,100}$/u.test(name)) return name;
  throw new TaskpipeError('USAGE', `${place}: a ledger has a name, as in ?ledger=crawl`);
}

function tlsOf(get: (name: string) => string | undefined, place: string): PostgresTls {
  const mode = get('sslmode') ?? 'prefer';
  const known = MODES.find((one) => one === mode);
  if (known === undefined)
    throw new TaskpipeError(
      'USAGE',
      `${place}: sslmode is one of ${MODES.join(', ')}; got ${JSON.stringify(mode)}`,
    );
  const [cert, key] = [get('sslcert'), get('sslkey')];
  if ((cert === undefined) !== (key === undefined))
    throw new TaskpipeError(
      'USAGE',
      `${place}: a client certificate needs both sslcert=FILE and sslkey=FILE`,
    );
  return { mode: known, rootCert: get('sslrootcert'), cert, key };
}

function secretIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw ioError('cannot read the password in', file, error);
  }
}

function placeOf(host: string, port: number, database: string, { query }: PostgresUrl): string {
  const server = host.startsWith('/') ? encodeURIComponent(host) : host.includes(':') ? `[${host}]` : host;
  const shown = ['table', 'ledger'].flatMap((name) => {
    const value = query.get(name);
    return value === null ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  const end = shown.length === 0 ? '' : `?${shown.join('&')}`;
  return `postgres://${server}${port === PORT ? '' : `:${port}`}/${encodeURIComponent(database)}${end}`;
}
