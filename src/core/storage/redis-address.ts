import { readFileSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';

/** Where a Redis is, and how to get in. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** The number of the database. */
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** `rediss://`; with the file of an authority to trust, where that is not a public one. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** What stands behind the `#`: the name of a queue or ledger. */
  readonly name: string | undefined;
  /** Whether a Redis may be used that forgets. */
  readonly volatile: boolean;
  /** The url without what is secret: for messages. */
  readonly place: string;
}

/** What a url does not say. */
export interface Secrets {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly passwordFile?: string | undefined;
}

/** The variable that a password is taken from, where neither the url nor a file has one. */
export const PASSWORD_VARIABLE = 'TASK_REDIS_PASSWORD';

const SHAPE = 'redis://HOST:PORT/DB, or rediss:// with TLS';

/**
 * Reads `redis://user:password@host:6379/0?password-file=FILE&ca=FILE&volatile#name`; all but the host may be left out.
 * @throws {TaskpipeError} `USAGE` if the url is invalid, `IO` if the file of the password can't be read
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

/** A place with the password of the environment in it, where it is a Redis without one: for ledgers. */
export function withPassword<T extends string | undefined>(place: T, env: Secrets['env']): T {
  const password = env[PASSWORD_VARIABLE];
  if (!password || place === undefined || !/^rediss?:/.test(place) || !URL.canParse(place)) return place;
  const url = new URL(place);
  if (url.password === '' && !url.searchParams.has('password-file'))
    url.password = encodeURIComponent(password);
  return url.href as T;
}
