import { readFileSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';
import { partsOf, type RedisUrl } from './redis-url.ts';

/** Address of a Redis, and the credentials for it. */
export interface RedisAddress {
  /** Host of the server, or of the first sentinel. */
  readonly host: string;
  readonly port: number;
  /** Number of the database. */
  readonly db: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Set for `rediss://` and `rediss+sentinel://`. */
  readonly tls: TlsNames | undefined;
  /** Set for `redis+sentinel://`: the sentinels know the address of the primary. */
  readonly sentinels: Sentinels | undefined;
  /** Name of a queue or ledger: the text after the `#`. */
  readonly name: string | undefined;
  /** True to accept a Redis that may lose data. */
  readonly volatile: boolean;
  /** Url without user, password and parameters, for messages. */
  readonly place: string;
}

/** Files and names for TLS. */
export interface TlsNames {
  /** File of a certificate authority to trust. Default: the public ones. */
  readonly ca: string | undefined;
  /** Files of the client's certificate and its key. Default: no client certificate. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Name that the server's certificate must have. Default: the host. */
  readonly servername: string | undefined;
}

/** Sentinels, and their name for the server. */
export interface Sentinels {
  readonly hosts: readonly { readonly host: string; readonly port: number }[];
  readonly primary: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Sources of the password besides the url. */
export interface Secrets {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly passwordFile?: string | undefined;
}

/** Environment variable of the password, which is used if neither the url nor a file has one. */
export const PASSWORD_VARIABLE = 'TASK_REDIS_PASSWORD';
/** Environment variable of the password of the sentinels. */
export const SENTINEL_PASSWORD_VARIABLE = 'TASK_SENTINEL_PASSWORD';

/** Parameters of a url by their purpose. */
const PARAMETERS = {
  all: ['password-file', 'volatile'],
  tls: ['ca', 'cert', 'key', 'servername'],
  sentinels: ['sentinel-user', 'sentinel-password', 'sentinel-password-file'],
} as const;

/**
 * Parses `redis://user:password@host:6379/0?password-file=FILE&volatile#name`; all parts but the host are optional.
 * `rediss://` takes the files of TLS too, and `redis+sentinel://host,host/primary/0` the credentials of the sentinels.
 * @throws {TaskpipeError} `USAGE` if the url is invalid, `IO` if the password file cannot be read
 */
export function redisAddress(typed: string, { env, passwordFile }: Secrets): RedisAddress {
  const url = partsOf(typed);
  const { query, hosts } = url;
  const [{ host, port }] = hosts;
  checkParameters(url);
  return {
    ...{ host, port, db: databaseOf(url), user: url.user },
    password: url.password ?? secretOf(passwordFile ?? query.get('password-file'), env[PASSWORD_VARIABLE]),
    tls: url.isTls ? tlsNames(url) : undefined,
    sentinels:
      url.primary === undefined
        ? undefined
        : {
            ...{ hosts, primary: url.primary },
            user: query.get('sentinel-user') ?? undefined,
            password:
              query.get('sentinel-password') ??
              secretOf(query.get('sentinel-password-file'), env[SENTINEL_PASSWORD_VARIABLE]),
          },
    name: url.name,
    volatile: query.has('volatile') && query.get('volatile') !== '0',
    place: url.place,
  };
}

function databaseOf({ db, place, primary }: RedisUrl): number {
  if (/^\d{1,5}$/.test(db)) return Number(db);
  const example = primary === undefined ? 'redis://HOST/0' : 'redis+sentinel://HOST/PRIMARY/0';
  throw new TaskpipeError(
    'USAGE',
    `${place}: the database is a number, as in ${example}; got ${JSON.stringify(db)}`,
  );
}

function checkParameters({ query, place, isTls, primary }: RedisUrl): void {
  const { all, tls, sentinels } = PARAMETERS;
  const known: readonly string[] = [
    ...all,
    ...(isTls ? tls : []),
    ...(primary === undefined ? [] : sentinels),
  ];
  for (const key of query.keys()) {
    if (known.includes(key)) continue;
    const words = (tls as readonly string[]).includes(key)
      ? `${key} is for TLS: use ${place.replace('redis', 'rediss')}`
      : `after the ? may stand ${known.join(', ')}; got ${JSON.stringify(key)}`;
    throw new TaskpipeError('USAGE', `${place}: ${words}`);
  }
}

function tlsNames({ query, place }: RedisUrl): TlsNames {
  const [ca, cert, key, servername] = PARAMETERS.tls.map((name) => query.get(name) || undefined);
  if ((cert === undefined) !== (key === undefined))
    throw new TaskpipeError('USAGE', `${place}: a client certificate needs both files: ?cert=FILE&key=FILE`);
  return { ca, cert, key, servername };
}

function secretOf(file: string | null | undefined, otherwise: string | undefined): string | undefined {
  if (file === null || file === undefined) return otherwise || undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw ioError('cannot read the password in', file, error);
  }
}

/**
 * Returns the place of a ledger. Adds the passwords of the environment if the place is the url of a Redis
 * without one.
 */
export function withPassword<T extends string | undefined>(place: T, env: Secrets['env']): T {
  const [, scheme = '', user = '', rest = '', query = '', hash = ''] =
    /^(rediss?(?:\+sentinel)?:\/\/)(?:([^/?#]*)@)?([^?#]*)((?:\?[^#]*)?)(.*)$/s.exec(place ?? '') ?? [];
  if (scheme === '') return place;
  const password = env[PASSWORD_VARIABLE];
  const sentinelPassword = env[SENTINEL_PASSWORD_VARIABLE];
  const hasOwn = /:./.test(user) || /[?&]password-file=/.test(query);
  const login = password && !hasOwn ? `${user.replace(/:$/, '')}:${encodeURIComponent(password)}` : user;
  const isMissing = sentinelPassword && scheme.includes('sentinel') && !/[?&]sentinel-password/.test(query);
  const more = isMissing
    ? `${query === '' ? '?' : `${query}&`}sentinel-password=${encodeURIComponent(sentinelPassword)}`
    : query;
  return `${scheme}${login === '' ? '' : `${login}@`}${rest}${more}${hash}` as T;
}
