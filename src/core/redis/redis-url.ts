import { TaskpipeError } from '../base/errors.ts';

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Parts of the url of a Redis. */
export interface RedisUrl {
  /** The server, or the sentinels. */
  readonly hosts: readonly [HostPort, ...HostPort[]];
  readonly isTls: boolean;
  /** Name of the primary; undefined if the host is the server itself. */
  readonly primary: string | undefined;
  /** Database, as typed. Default `0`. */
  readonly db: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly query: URLSearchParams;
  readonly name: string | undefined;
  /** Url without user, password and parameters. */
  readonly place: string;
}

const PORT = 6379;
const SENTINEL_PORT = 26_379;

const SHAPE =
  'redis://HOST:PORT/DB, or rediss:// with TLS, or redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY/DB';

/** Spellings of other programs, with the ones used here. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:redis-sentinel|sentinel):/, 'redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY/DB'],
  [/^rediss-sentinel:/, 'rediss+sentinel://HOST:PORT,HOST:PORT/PRIMARY/DB'],
  [/^valkeys:/, 'rediss://HOST:PORT/DB'],
  [/^valkey:/, 'redis://HOST:PORT/DB'],
];

/** Takes a url apart. @throws {TaskpipeError} `USAGE` with the expected form */
export function partsOf(typed: string): RedisUrl {
  const [, tls = '', kind = '', login = '', hosts = '', rest = ''] =
    /^redis(s?)(\+sentinel)?:\/\/((?:[^/?#]*@)?)([^/?#@]*)(.*)$/s.exec(typed) ?? [];
  const isSentinel = kind !== '';
  const all = isSentinel ? hosts.split(',') : [hosts];
  const urls = all.map((host) => parsed(`redis://${login}${host}${rest}`));
  const [url] = urls;
  if (hosts === '' || url === undefined || urls.includes(undefined)) throw notAUrl(typed);
  const place = `redis${tls}${kind}://${hosts}${url.pathname}${url.hash}`;
  const path = url.pathname.replace(/^\//, '').split('/').map(decoded);
  const primary = isSentinel ? path.shift() : undefined;
  if (primary === '')
    throw new TaskpipeError(
      'USAGE',
      `${place}: after the sentinels comes the name of the primary, as in redis+sentinel://${hosts}/mymaster/0`,
    );
  return {
    hosts: (urls as URL[]).map((one) => hostOf(one, isSentinel ? SENTINEL_PORT : PORT)) as never,
    ...{ isTls: tls !== '', primary, db: path.join('/') || '0' },
    user: decoded(url.username) || undefined,
    password: decoded(url.password) || undefined,
    query: url.searchParams,
    name: url.hash === '' ? undefined : decoded(url.hash.slice(1)),
    place,
  };
}

/** Returns a url; undefined if it is invalid, or has no host. */
function parsed(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.hostname === '' ? undefined : url;
}

function hostOf({ hostname, port }: URL, otherwise: number): HostPort {
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || otherwise) };
}

/** Decodes a part of a url. A lone `%` stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function notAUrl(typed: string): TaskpipeError {
  const shown = typed.includes('@') ? '(not shown: it may have a password in it)' : JSON.stringify(typed);
  const shape = OTHERS.find(([pattern]) => pattern.test(typed))?.[1] ?? SHAPE;
  return new TaskpipeError('USAGE', `the url of a Redis is ${shape}; got ${shown}`);
}
