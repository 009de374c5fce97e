import { readFileSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';

/** Address of a Redis, and the credentials for it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** Number of the database. */
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /**
   * Set for `rediss://`. `ca` is the file of a certificate authority to trust, if that is not a public one.
   */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** Name of a queue or ledger: the text after the `#`. */
  readonly name: string | undefined;
  /** True if a Redis that may lose data is accepted. */
  readonly volatile: boolean;
  /** Url without user, password and parameters, for messages. */
  readonly place: string;
}

/** Sources of the password besides the url. */
export interface Secrets {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly passwordFile?: string | undefined;
}

/** Environment variable of the password, which is used if neither the url nor a file has one. */
export const PASSWORD_VARIABLE = 'TASK_REDIS_PASSWORD';

const SHAPE = 'redis://HOST:PORT/DB, or rediss:// with TLS';

/**
 * Parses `redis://user:password@host:6379/0?password-file=FILE&ca=FILE&volatile#name`; all parts but the host
 * are optional.
 * @throws {TaskpipeError} `USAGE` if the url is invalid, `IO` if the password file cannot be read
 */
export function redisAddress(typed: string, { env, passwordFile }: Secrets): RedisAddress {
  const url = URL.canParse(typed) ? new URL(typed) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === '') throw notAUrl(typed);
  const { pathname, searchParams: query } = url;
  const db = pathname.replace(/^\//, '') || '0';
  if (!/^\d{1,5}$/.test(db))
    throw new TaskpipeError(
      'USAGE',
      `${placeOf(url)}: the database is a number, as in redis://${url.host}/0; got ${JSON.stringify(db)}`,
    );
  for (const key of query.keys()) {
    if (!['password-file', 'ca', 'volatile'].includes(key))
      throw new TaskpipeError(
        'USAGE',
        `${placeOf(url)}: after the ? may stand password-file=FILE, ca=FILE and volatile; got ${JSON.stringify(key)}`,
      );
  }
  const file = passwordFile ?? query.get('password-file') ?? undefined;
  const secret = file === undefined ? env[PASSWORD_VARIABLE] || undefined : readSecret(file);
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    db: Number(db),
    user: decodeURIComponent(url.username) || undefined,
    password: decodeURIComponent(url.password) || secret,
    tls: url.protocol === 'rediss:' ? { ca: query.get('ca') ?? undefined } : undefined,
    name: url.hash === '' ? undefined : decodeURIComponent(url.hash.slice(1)),
    volatile: query.has('volatile') && query.get('volatile') !== '0',
    place: placeOf(url),
  };
}

function placeOf(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.hash}`;
}

function notAUrl(typed: string): TaskpipeError {
  const shown = typed.includes('@') ? '(not shown: it may have a password in it)' : JSON.stringify(typed);
  return new TaskpipeError('USAGE', `the url of a Redis is ${SHAPE}; got ${shown}`);
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw ioError('cannot read the password in', file, error);
  }
}

/**
 * Returns the place of a ledger. Adds the password of the environment if the place is the url of a Redis
 * without a password.
 */
export function withPassword<T extends string | undefined>(place: T, env: Secrets['env']): T {
  const password = env[PASSWORD_VARIABLE];
  if (!password || place === undefined || !/^rediss?:/.test(place) || !URL.canParse(place)) return place;
  const url = new URL(place);
  if (url.password === '' && !url.searchParams.has('password-file'))
    url.password = encodeURIComponent(password);
  return url.href as T;
}
