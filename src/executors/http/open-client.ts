import { lookup } from 'node:dns';
import { BlockList, type LookupFunction } from 'node:net';
import { platform } from 'node:os';
import type { Agent } from 'undici';
import { TaskpipeError } from '../../core/base/errors.ts';
import { checked, type HttpOptions, MAX_BODY } from './options.ts';
import type { RequestDefaults } from './request/build-request.ts';
import { type Client, createClient } from './transport/client.ts';
import { openConnector, openFreshPool, openPool } from './transport/connection-pool.ts';
import type { Cookies } from './transport/cookies.ts';
import type { Cache } from './transport/http-cache.ts';
import { type AddressRule, publicOr, toNetworks } from './transport/names/addresses.ts';
import type { NameLookup } from './transport/names/name-lookup.ts';
import type { ProxyEnvironment, ProxySettings } from './transport/proxy.ts';

/** Client with what must be closed after its last request. */
export interface OpenClient {
  readonly client: Client;
  close(): Promise<void>;
}

/**
 * Opens the client of an executor. Proxies, cookies, the cache and address rules are loaded only if they are used.
 * @throws {TaskpipeError} `USAGE` if options contradict each other, `IO` if a file or folder cannot be used
 */
export async function openClient(options: HttpOptions, defaults: RequestDefaults): Promise<OpenClient> {
  const { maxBody = MAX_BODY, userAgent = 'taskpipe', env = {}, hostErrors } = options;
  const { insecure = false, lenient = false } = options;
  const proxy = usesProxy(options.proxy, env) ? await import('./transport/proxy.ts') : undefined;
  const settings = proxy?.proxySettings(options.proxy, env);
  const mayConnect = await addressRule(options, settings);
  const names = await openNames(options);
  const connector = openConnector({ timeout: defaults.timeout, insecure, lenient, mayConnect, names });
  const pool = openPool(connector.connect, lenient);
  let fresh: Agent | undefined;
  const freshPool = (): Agent => {
    fresh ??= openFreshPool(connector.connect, lenient);
    return fresh;
  };
  const cookies =
    options.cookies === undefined
      ? undefined
      : await (await import('./transport/cookies.ts')).openCookies(options.cookies);
  const cache = await openCacheOf(options, maxBody, cookies);
  const proxies = settings === undefined ? undefined : proxy?.openProxies(settings, pool, connector);
  const usualHeaders = defaults.headers;
  return {
    client: createClient({
      pool,
      freshPool,
      proxies,
      cookies,
      cache,
      userAgent,
      usualHeaders,
      maxBody,
      hostErrors,
    }),
    async close() {
      connector.abandon();
      await Promise.all([pool.destroy(), fresh?.destroy(), proxies?.close()]);
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
 * Opens the lookup of names. The system's is used where c-ares does not know all that the system knows.
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
  if (proxies !== undefined) {
    const message = `--deny-private cannot be used with a proxy (${proxies.from}), which chooses addresses itself`;
    throw new TaskpipeError('USAGE', `${message}; no_proxy='*' disables the proxy`);
  }
  return publicOr(allowAddress === undefined ? new BlockList() : toNetworks(allowAddress));
}
