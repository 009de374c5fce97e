import { lookup } from 'node:dns';
import { BlockList, type LookupFunction } from 'node:net';
import { platform } from 'node:os';
import type { Agent } from 'undici';
import { TaskpipeError } from '../../core/base/errors.ts';
import type { OpenAuth, OpenSettings, TlsContexts } from './auth/index.ts';
import { checked, type HttpOptions, MAX_BODY } from './options.ts';
import type { RequestDefaults } from './request/build-request.ts';
import { type Client, createClient } from './transport/client.ts';
import { type Connector, openConnector, openFreshPool, openPool } from './transport/connection-pool.ts';
import type { Cookies } from './transport/cookies.ts';
import type { Cache } from './transport/http-cache.ts';
import { type AddressRule, publicOr, toNetworks } from './transport/names/addresses.ts';
import type { NameLookup } from './transport/names/name-lookup.ts';
import type { ProxyEnvironment, ProxySettings } from './transport/proxy.ts';
import type { OpenSender } from './transport/routes/proxy-routes.ts';
import { waysOf } from './transport/routes/ways.ts';

/** Client with the resources to close after its last request. */
export interface OpenClient {
  readonly client: Client;
  /** Logins and certificates; undefined if no option asks for them. */
  readonly auth?: OpenAuth | undefined;
  close(): Promise<void>;
}

/** Longest time for a proxy of a list to make a connection, in milliseconds; then another proxy is tried. */
const PROXY_TIMEOUT = 10_000;

/**
 * Opens the client of an executor.
 * @throws {TaskpipeError} `USAGE` if options contradict each other, `IO` if a file or folder cannot be used
 */
export async function openClient(options: HttpOptions, defaults: RequestDefaults): Promise<OpenClient> {
  if (!usesAuth(options)) {
    const { settings, close } = await openSettings(options, defaults);
    return { client: createClient(settings), close };
  }
  const { openAuth, openAuthClient } = await import('./auth/index.ts');
  const auth = await openAuth(options, defaults.headers);
  return openAuthClient(auth, options, (more, contexts) => openSettings(more, defaults, contexts));
}

/** Returns false if no option needs the code for logins and certificates. */
function usesAuth({
  auth,
  authFile,
  netrc,
  logins,
  oauth2,
  awsSigv4,
  cert,
  key,
  cacert,
  env,
}: HttpOptions): boolean {
  const given = auth ?? authFile ?? netrc ?? logins ?? oauth2 ?? awsSigv4 ?? cert ?? key ?? cacert;
  return given !== undefined || (env?.SSL_CERT_FILE ?? '') !== '';
}

/** Opens the settings of a client. Proxies, cookies, the cache and address rules are loaded only if they are used. */
async function openSettings(
  options: HttpOptions,
  defaults: RequestDefaults,
  contexts: TlsContexts = {},
): Promise<OpenSettings> {
  const { maxBody = MAX_BODY, userAgent = 'taskpipe', env = {}, hostErrors } = options;
  const { insecure = false, lenient = false } = options;
  const proxy = usesProxy(options.proxy, env) ? await import('./transport/proxy.ts') : undefined;
  const settings = proxy?.proxySettings(options.proxy, env, options.info);
  const mayConnect = await addressRule(options, settings);
  const names = await openNames(options);
  const timeout = settings?.list ? Math.min(defaults.timeout / 3, PROXY_TIMEOUT) : defaults.timeout;
  const base = { timeout, insecure, lenient, mayConnect, names, ...contexts, ...waysOf(options) };
  const connector = openConnector(base);
  const both = options.http2 ? openConnector({ ...base, allowH2: true }) : undefined;
  // A proxy is one origin for all hosts.
  const connections = settings === undefined ? options.connections : undefined;
  const openSender = await senderOf(connector, both, connections);
  const pool = openSender(({ connect }) => connect);
  // HTTP/2 and client certificates are for targets only: requests to a proxy itself use HTTP/1.1.
  const isOne = both === undefined && contexts.secureContext === contexts.proxyContext;
  const direct = isOne ? pool : openPool(connector.toProxy, lenient);
  let fresh: Agent | undefined;
  const freshPool = (): Agent => {
    fresh ??= openFreshPool(connector.connect, lenient);
    return fresh;
  };
  const cookies =
    options.cookies === undefined
      ? undefined
      : await (await import('./transport/cookies.ts')).openCookies(
          options.cookies,
          options.info ?? (() => {}),
        );
  const cache = await openCacheOf(options, maxBody, cookies);
  const proxies =
    settings === undefined
      ? undefined
      : (await import('./transport/routes/proxy-routes.ts')).openProxies(
          settings,
          direct,
          connector,
          openSender,
          options.info,
        );
  const usualHeaders = defaults.headers;
  return {
    settings: {
      pool,
      freshPool,
      proxies,
      cookies,
      cache,
      userAgent,
      usualHeaders,
      maxBody,
      hostErrors,
    },
    async close() {
      connector.abandon();
      both?.abandon();
      await Promise.all([pool, direct, fresh].map((one) => one?.destroy()));
      await proxies?.close();
      await cookies?.save();
    },
  };
}

/** Opens `--cache` in its mode, if it is given. @throws {TaskpipeError} `USAGE` if there is a mode without a folder */
async function openCacheOf(
  { cache: dir, cacheMode: mode = 'auto', cookies: cookieFile }: HttpOptions,
  maxBody: number,
  cookies: Cookies | undefined,
): Promise<Cache | undefined> {
  if (dir === undefined) {
    if (mode === 'auto') return undefined;
    throw new TaskpipeError('USAGE', `--cache-mode ${mode} needs --cache DIR, the folder of the answers`);
  }
  if (mode === 'auto') return (await import('./transport/http-cache.ts')).openCache(dir, maxBody);
  const { openRecords } = await import('./replay/record-cache.ts');
  const takeCookies: Cookies['take'] = (url, set) => cookies?.take(url, set);
  return openRecords({ dir, mode, cookieFile, takeCookies });
}

/**
 * Returns the function that opens pools.
 * @param both connector that offers HTTP/2 too. Default: only HTTP/1.1 is used
 * @param connections most connections to one origin
 */
async function senderOf(
  connector: Connector,
  both: Connector | undefined,
  connections: number | undefined,
): Promise<OpenSender> {
  const { lenient, timeout } = connector;
  if (both === undefined) return (by) => openPool(by(connector), lenient, connections);
  const { openHttp2Pool } = await import('./transport/http2/http2-pool.ts');
  return (by) => openHttp2Pool(by(both), openPool(by(connector), lenient, connections), timeout);
}

/**
 * Opens the lookup of names. Uses the lookup of the system if the system has sources of names that c-ares does not
 * have.
 * @throws {TaskpipeError} `USAGE` if an option is invalid
 */
async function openNames({ resolver }: HttpOptions): Promise<NameLookup> {
  checked('resolver', resolver);
  if (resolver === undefined && ['darwin', 'win32'].includes(platform()))
    return { lookup: lookup as LookupFunction, cancel() {} };
  const { openNameLookup } = await import('./transport/names/name-lookup.ts');
  return openNameLookup(resolver?.split(',').map((one) => one.trim()));
}

/** Returns false if there is certainly no proxy, so that its code need not be loaded. */
function usesProxy(proxy: string | undefined, env: ProxyEnvironment): boolean {
  if (proxy !== undefined) return true;
  return Object.keys(env).some((name) => /^(https?|all)_proxy$/i.test(name) && (env[name] ?? '') !== '');
}

/**
 * Returns the rule for addresses that may be connected to; undefined if all may.
 * @throws {TaskpipeError} `USAGE` if the options contradict each other
 */
async function addressRule(
  { denyPrivate, allowAddress }: HttpOptions,
  proxies: ProxySettings | undefined,
): Promise<AddressRule | undefined> {
  checked('allowAddress', allowAddress);
  if (denyPrivate !== true) {
    if (allowAddress === undefined) return undefined;
    throw new TaskpipeError(
      'USAGE',
      '--allow-address makes exceptions to --deny-private; add --deny-private',
    );
  }
  if (proxies !== undefined && !proxies.looksUpHere) {
    const message = `--deny-private cannot be used with a proxy (${proxies.from}), which chooses addresses itself`;
    const advice = "no_proxy='*' disables the proxy, and socks5:// makes this process choose the addresses";
    throw new TaskpipeError('USAGE', `${message}; ${advice}`);
  }
  return publicOr(allowAddress === undefined ? new BlockList() : toNetworks(allowAddress));
}
