/*
 * Logins of --http and ctx.fetch: which credentials a request gets, and how they are sent. It owns the files with
 * secrets. No login follows a redirect to another origin, except one that its file names for that host. Must not know
 * how requests are retried or judged.
 */
import { quote } from 'shlex';
import { TaskpipeError } from '../../../core/base/errors.ts';
import type { HttpOptions } from '../options.ts';
import { type HeaderList, headerValue } from '../request/headers.ts';
import type { HttpRequest } from '../request/redirect.ts';
import { type Client, type ClientOptions, createClient } from '../transport/client.ts';
import type { PoolOptions } from '../transport/connection-pool.ts';
import { digestLogin } from './digest-login.ts';
import { accountOf, basicLogin, bearerLogin, type HttpAccount, tokenOf } from './header-login.ts';
import { type HostLogins, readLogins, readNetrc } from './host-logins.ts';
import type { Login, Logins } from './login.ts';
import type { OAuth2Login } from './oauth2/oauth2-login.ts';
import { readSecretFile } from './secret-file.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

/** Variable with the secret of `--auth`. */
const SECRET = 'TASK_AUTH_SECRET';

/** Logins and certificates of a client. */
export interface OpenAuth {
  readonly logins: Logins;
  readonly tls: TlsFiles;
  /** Returns the options of curl for the login of a request, without secrets, and for certificates. */
  curl(hop: HttpRequest): readonly string[];
  /** Sets the client that asks for tokens. */
  useClient(client: Client): void;
  close(): void;
}

/**
 * Opens the logins and certificates of the options.
 * @param headers those of `--header`
 * @throws {TaskpipeError} `USAGE` if options contradict each other or a file is invalid, `IO` if it cannot be read
 */
export async function openAuth(options: HttpOptions, headers: HeaderList): Promise<OpenAuth> {
  const { cert, key, cacert, env = {} } = options;
  checkTogether(options, headers);
  const tls = await readTlsFiles({ cert, key, cacert, env });
  const oauth2 =
    options.oauth2 === undefined
      ? undefined
      : await (await import('./oauth2/oauth2-login.ts')).openOAuth2(
          options.oauth2,
          options.info ?? (() => {}),
        );
  const usual = oauth2 ?? (await signer(options)) ?? (await secretLogin(options));
  const hosts = await hostLogins(options);
  const of = chooser(options, usual, hosts, oauth2);
  return {
    tls,
    logins: { of },
    curl: curlWords(options, of),
    useClient: (client) => oauth2?.useClient(client),
    close: () => oauth2?.close(),
  };
}

/** Returns the function that chooses the login of a request. Its own `Authorization` header takes precedence. */
function chooser(
  { auth }: HttpOptions,
  usual: Login | undefined,
  hosts: readonly HostLogins[],
  oauth2: OAuth2Login | undefined,
): Logins['of'] {
  const ofUrls = auth === 'digest' ? digestOfUrls() : undefined;
  return (hop) => {
    const { target, headers, isForeign = false } = hop;
    if (headerValue(headers, 'authorization') !== undefined) return ofUser(hop, hosts) ?? ofUrls?.(hop);
    if (oauth2 !== undefined && oauth2.tokenUrl === target.href) return undefined;
    if (!isForeign || target.origin.startsWith('https:')) {
      for (const one of hosts) {
        const login = one.of(target, isForeign);
        if (login !== undefined) return login;
      }
    }
    return isForeign ? undefined : usual;
  };
}

/** Returns the login for a url with a user and no password, if a file has the password. */
function ofUser(hop: HttpRequest, hosts: readonly HostLogins[]): Login | undefined {
  const account = hosts.length === 0 ? undefined : accountInUrl(hop);
  if (account === undefined || account.user === '' || account.password !== '') return undefined;
  for (const one of hosts) {
    const login = one.ofUser?.(hop.target, account.user);
    if (login !== undefined) return login;
  }
  return undefined;
}

/** Returns user and password of the url, unless the record has its own header `Authorization`. */
function accountInUrl({ target: { authorization }, headers }: HttpRequest): HttpAccount | undefined {
  if (authorization === undefined || headerValue(headers, 'authorization') !== authorization)
    return undefined;
  const [user = '', ...rest] = Buffer.from(authorization.slice(6), 'base64').toString().split(':');
  return { user, password: rest.join(':') };
}

/** Returns the function that logs in by Digest with user and password of a url. */
function digestOfUrls(): Logins['of'] {
  const made = new Map<string, Login>();
  return (hop) => {
    const account = accountInUrl(hop);
    if (account === undefined) return undefined;
    const key = hop.target.authorization as string;
    let login = made.get(key);
    if (login === undefined) {
      login = digestLogin(account, ['--digest', ...URL_WORDS]);
      made.set(key, login);
    }
    return login;
  };
}

/** Options of curl for the user of a url. */
const URL_WORDS = ['--user', '"$LOGIN"'];

async function signer({ awsSigv4, env = {} }: HttpOptions): Promise<Login | undefined> {
  if (awsSigv4 === undefined) return undefined;
  return (await import('./sigv4-login.ts')).sigv4Login(awsSigv4, env);
}

/** Returns the login of `--auth`; undefined if only files of accounts have secrets. */
async function secretLogin(options: HttpOptions): Promise<Login | undefined> {
  const { auth, authFile, env = {} } = options;
  if (auth === undefined) return undefined;
  const from = authFile === undefined ? SECRET : `--auth-file ${authFile}`;
  const text = authFile === undefined ? env[SECRET] : await readSecretFile('--auth-file', authFile);
  if (text === undefined || text === '') {
    if (auth !== 'bearer' && options.netrc !== undefined) return undefined;
    const rule = auth === 'bearer' ? 'the token' : 'user:password';
    throw new TaskpipeError(
      'USAGE',
      `--auth ${auth} needs a secret: put ${rule} in --auth-file FILE, or in ${SECRET}`,
    );
  }
  const secret = text.replace(/\r?\n$/, '');
  if (auth === 'bearer')
    return bearerLogin(tokenOf(secret.trim(), from), ['-H', `"Authorization: Bearer $${SECRET}"`]);
  const account = accountOf(secret, from);
  const words = ['--user', `"$${SECRET}"`];
  return auth === 'basic' ? basicLogin(account, words) : digestLogin(account, ['--digest', ...words]);
}

async function hostLogins({ logins, netrc, auth }: HttpOptions): Promise<HostLogins[]> {
  const made: HostLogins[] = [];
  if (logins !== undefined) made.push(await readLogins(logins, digestLogin));
  if (netrc !== undefined) {
    const isDigest = auth === 'digest';
    const way = isDigest ? ['--digest'] : [];
    const words = [...way, '--netrc-file', quote(netrc)];
    made.push(await readNetrc(netrc, isDigest ? digestLogin : basicLogin, words, [...way, ...URL_WORDS]));
  }
  return made;
}

function checkTogether(options: HttpOptions, headers: HeaderList): void {
  const { auth, authFile, oauth2, awsSigv4 } = options;
  const kinds = [
    ...(auth === undefined ? [] : ['--auth']),
    ...(oauth2 === undefined ? [] : ['--oauth2']),
    ...(awsSigv4 === undefined ? [] : ['--aws-sigv4']),
    ...(headerValue(headers, 'authorization') === undefined ? [] : ['the header Authorization']),
  ];
  if (kinds.length > 1)
    throw new TaskpipeError('USAGE', `${kinds.slice(0, 2).join(' and ')} contradict each other; give one`);
  if (authFile !== undefined && auth === undefined)
    throw new TaskpipeError(
      'USAGE',
      '--auth-file has the secret of --auth; add --auth basic, digest or bearer',
    );
}

/** Returns the function that returns the options of curl for the login of a request, and for certificates. */
function curlWords({ cert, key, cacert }: HttpOptions, of: Logins['of']): OpenAuth['curl'] {
  const files = Object.entries({ cert, key, cacert }).flatMap(([name, file]) =>
    file === undefined ? [] : [`--${name}`, quote(file)],
  );
  return (hop) => [...(of(hop)?.curl() ?? []), ...files];
}

/** Settings of a client, with the resources to close after its last request. */
export interface OpenSettings {
  readonly settings: ClientOptions;
  close(): Promise<void>;
}

/** Contexts of TLS: for servers, and for proxies. */
export type TlsContexts = Pick<PoolOptions, 'secureContext' | 'proxyContext'>;

/**
 * Opens the client of a stage with logins. If there is a client certificate, it gets separate connections, so that
 * redirects to other origins do not get it.
 * @param open opens the settings of a client
 */
export async function openAuthClient(
  auth: OpenAuth,
  options: HttpOptions,
  open: (options: HttpOptions, contexts: TlsContexts) => Promise<OpenSettings>,
): Promise<{ readonly client: Client; readonly auth: OpenAuth; close(): Promise<void> }> {
  const { logins } = auth;
  const { own, plain, identity } = auth.tls;
  const first = await open(options, { secureContext: own ?? plain, proxyContext: plain });
  const client = createClient({ ...first.settings, logins, certificate: identity });
  if (own === undefined) {
    auth.useClient(client);
    return { client, auth, close: () => closed(auth, first) };
  }
  const { cookies, cache } = first.settings;
  const bareOptions = { ...options, cookies: undefined, cache: undefined };
  const second = await open(bareOptions, { secureContext: plain, proxyContext: plain });
  const bare = createClient({ ...second.settings, cookies, cache, logins });
  const mayKnow = ({ isForeign, target }: HttpRequest): boolean =>
    isForeign !== true && target.origin.startsWith('https:');
  const both: Client = { send: (hop, ...more) => (mayKnow(hop) ? client : bare).send(hop, ...more) };
  auth.useClient(both);
  return { client: both, auth, close: () => closed(auth, first, second) };
}

async function closed(auth: OpenAuth, ...all: readonly OpenSettings[]): Promise<void> {
  auth.close();
  await Promise.all(all.map(({ close }) => close()));
}
