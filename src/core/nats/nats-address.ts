import { readFileSync } from 'node:fs';
import { ioError, TaskpipeError } from '../base/errors.ts';

/** Address of a NATS server or cluster, and the credentials for it. */
export interface NatsAddress {
  /** Servers as `host:port`. */
  readonly servers: readonly string[];
  readonly user: string | undefined;
  /** Password of the user; the token if there is no user. */
  readonly password: string | undefined;
  /** File with credentials (JWT and key), as `nsc` makes it. */
  readonly creds: string | undefined;
  /** File with the seed of a key, as `nk` makes it. */
  readonly nkey: string | undefined;
  /** Set for `tls://`. */
  readonly tls: NatsTls | undefined;
  /** Number of copies of each stream that is made. */
  readonly replicas: number;
  /** Url without user, password and parameters, for messages. */
  readonly place: string;
}

/** Files and names for TLS. */
export interface NatsTls {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
}

/** Sources of the password besides the url. */
export interface NatsSecrets {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly passwordFile?: string | undefined;
}

/** Environment variable of the password or token, which is used if neither the url nor a file has one. */
export const NATS_PASSWORD_VARIABLE = 'TASK_NATS_PASSWORD';

const PORT = 4222;
const SHAPE = 'nats://HOST:PORT, or tls://HOST:PORT with TLS, or nats://HOST:PORT,HOST:PORT for a cluster';
const TLS = ['ca', 'cert', 'key', 'servername'] as const;
const ALL: readonly string[] = ['password-file', 'creds', 'nkey', 'replicas'];

/**
 * Parses `nats://user:password@host:4222,host:4222?password-file=FILE&creds=FILE&nkey=FILE&replicas=3`; all parts but a host are
 * optional. A lone word before the `@` is a token.
 * @throws {TaskpipeError} `USAGE` if the url is invalid, `IO` if the password file cannot be read
 */
export function natsAddress(typed: string, { env, passwordFile }: NatsSecrets): NatsAddress {
  const [, scheme = '', login = '', hosts = '', path = '', search = ''] =
    /^([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#@]+)(\/?)((?:\?[^#]*)?)$/.exec(typed) ?? [];
  const urls = hosts.split(',').map((host) => `x://${host}`);
  if (hosts === '' || !urls.every((url) => URL.canParse(url) && new URL(url).hostname !== '')) {
    const shown = typed.includes('@') ? '(not shown: it may have a password in it)' : JSON.stringify(typed);
    throw new TaskpipeError('USAGE', `the url of a NATS server is ${SHAPE}; got ${shown}`);
  }
  const isTls = scheme !== 'nats';
  const place = `${scheme}://${hosts}${path}`;
  const query = new URLSearchParams(search);
  const known = isTls ? [...ALL, ...TLS] : ALL;
  for (const key of query.keys())
    if (!known.includes(key))
      throw new TaskpipeError(
        'USAGE',
        (TLS as readonly string[]).includes(key)
          ? `${place}: ${key} is for TLS: use ${place.replace('nats:', 'tls:')}`
          : `${place}: after the ? may stand ${known.join(', ')}; got ${JSON.stringify(key)}`,
      );
  const [user, inUrl] = loginOf(login);
  const secret = secretOf(passwordFile ?? query.get('password-file'), env[NATS_PASSWORD_VARIABLE]);
  return {
    servers: urls.map((url) => serverOf(new URL(url))),
    ...{ user, password: inUrl ?? secret, creds: query.get('creds') ?? undefined },
    nkey: query.get('nkey') ?? undefined,
    tls: isTls ? tlsOf(query, place) : undefined,
    ...{ replicas: replicasOf(query.get('replicas'), place), place },
  };
}

function loginOf(login: string): readonly [string | undefined, string | undefined] {
  const [first = '', ...rest] = login.split(':');
  if (rest.length > 0) return [decoded(first) || undefined, decoded(rest.join(':')) || undefined];
  // A user whose password is elsewhere is written with a colon, as in USER:@HOST; a lone word is a token.
  return [undefined, decoded(first) || undefined];
}

function serverOf({ hostname, port }: URL): string {
  return `${hostname}:${port || PORT}`;
}

function tlsOf(query: URLSearchParams, place: string): NatsTls {
  const [ca, cert, key, servername] = TLS.map((name) => query.get(name) || undefined);
  if ((cert === undefined) !== (key === undefined))
    throw new TaskpipeError('USAGE', `${place}: a client certificate needs both files: ?cert=FILE&key=FILE`);
  return { ca, cert, key, servername };
}

function replicasOf(typed: string | null, place: string): number {
  if (typed === null) return 1;
  if (!/^[1-5]$/.test(typed))
    throw new TaskpipeError('USAGE', `${place}: replicas must be 1 to 5; got ${JSON.stringify(typed)}`);
  return Number(typed);
}

/** Decodes a part of a url. A lone `%` stands for itself. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function secretOf(file: string | null | undefined, otherwise: string | undefined): string | undefined {
  if (file === null || file === undefined) return otherwise || undefined;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw ioError('cannot read the password in', file, error);
  }
}
