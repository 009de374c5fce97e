import { BlockList, isIP } from 'node:net';
import type { Agent, Dispatcher } from 'undici';
import { TaskpipeError } from '../../../core/base/errors.ts';
import type { HeaderList } from '../request/headers.ts';
import { basic, shownUrl, type Target } from '../request/target.ts';
import { type Connector, openPool } from './connection-pool.ts';
import { addIfNetwork } from './names/addresses.ts';
import { proxyHost, tunnelBy } from './tunnel.ts';

/** Route to a target. */
export interface Route {
  readonly dispatcher: Dispatcher;
  /** Origin to connect to. */
  readonly origin: string;
  /** Path to request. */
  readonly path: string;
  /** Headers to add. */
  readonly headers: HeaderList;
  /** Peer for messages, if it is not the target. */
  readonly peer?: string;
}

/** Proxies between this process and the targets. */
export interface Proxies {
  /** Returns the route through a proxy; undefined for a direct one. */
  route(target: Target): Route | undefined;
  close(): Promise<void>;
}

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Proxies to use, and exceptions. */
export interface ProxySettings {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Origin of the setting, such as `--proxy`. */
  readonly from: string;
  /** Returns whether a host, as written in a url, is reached directly. */
  isDirect(hostname: string, port: number): boolean;
}

/**
 * Returns the proxies of `--proxy`, which applies to all urls, or else of the usual variables: `http_proxy`,
 * `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case.
 * @throws {TaskpipeError} `USAGE` if a proxy cannot be used
 */
export function proxySettings(proxy: string | undefined, env: ProxyEnvironment): ProxySettings | undefined {
  if (proxy !== undefined) {
    const url = proxyUrl(proxy, '--proxy');
    return { http: url, https: url, from: '--proxy', isDirect: () => false };
  }
  const from = (name: string): [value: string, name: string] | undefined => {
    const found = [name, name.toUpperCase()].find((one) => (env[one] ?? '') !== '');
    return found === undefined ? undefined : [env[found] as string, found];
  };
  const all = from('all_proxy');
  const plain = from('http_proxy') ?? all;
  const secure = from('https_proxy') ?? all;
  const [, name] = plain ?? secure ?? [];
  const exceptions = from('no_proxy')?.[0] ?? '';
  if (name === undefined || exceptions.trim() === '*') return undefined;
  return {
    http: plain && proxyUrl(...plain),
    https: secure && proxyUrl(...secure),
    from: name,
    isDirect: compileNoProxy(exceptions),
  };
}

function proxyUrl(text: string, from: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    // reported below
  }
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  const rule = 'must be the url of an HTTP proxy (SOCKS is not supported)';
  throw new TaskpipeError('USAGE', `${from} ${rule}; got ${shownUrl(text)}`);
}

/**
 * Parses `no_proxy`: hosts with their subdomains (a leading dot or `*.` makes no difference), addresses, and
 * networks such as `10.0.0.0/8`, each with or without a port; `*` means all.
 */
export function compileNoProxy(list: string): (hostname: string, port: number) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const networks = new BlockList();
  const hosts: { host: string; port: number | undefined }[] = [];
  for (const entry of entries) {
    if (addIfNetwork(networks, entry)) continue;
    const [, host = entry, port] = isIP(entry) === 6 ? [] : (/^(.+):(\d+)$/.exec(entry) ?? []);
    hosts.push({
      host: bare(host.replace(/^\*?\./, '')),
      port: port === undefined ? undefined : Number(port),
    });
  }
  return (hostname, port) => {
    const name = bare(hostname);
    const family = isIP(name);
    if (family !== 0 && networks.check(name, family === 4 ? 'ipv4' : 'ipv6')) return true;
    return hosts.some((entry) => {
      if (entry.port !== undefined && entry.port !== port) return false;
      return name === entry.host || (family === 0 && name.endsWith(`.${entry.host}`));
    });
  };
}

/** Returns a host without the brackets of IPv6 and without a trailing dot. */
function bare(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}

/**
 * Opens routes through proxies. A request over http goes to the proxy with its whole url; one over https goes
 * through a tunnel (CONNECT).
 * @param direct pool of connections, also to proxies
 */
export function openProxies(settings: ProxySettings, direct: Agent, connector: Connector): Proxies {
  const tunnels = new Map<string, Agent>();
  const tunnelsBy = (proxy: URL): Agent => {
    let pool = tunnels.get(proxy.href);
    if (pool === undefined) {
      pool = openPool(tunnelBy(proxy, credentialsOf(proxy), connector), connector.lenient);
      tunnels.set(proxy.href, pool);
    }
    return pool;
  };
  return {
    route(target) {
      const { protocol, hostname, port, host } = new URL(target.origin);
      const isPlain = protocol === 'http:';
      const proxy = isPlain ? settings.http : settings.https;
      if (proxy === undefined) return undefined;
      if (settings.isDirect(hostname, port === '' ? (isPlain ? 80 : 443) : Number(port))) return undefined;
      if (!isPlain)
        return { dispatcher: tunnelsBy(proxy), origin: target.origin, path: target.path, headers: [] };
      const credentials = credentialsOf(proxy);
      const authorization = credentials === undefined ? [] : ['proxy-authorization', credentials];
      const headers = ['host', host, ...authorization];
      const peer = `the proxy ${proxyHost(proxy)}`;
      return { dispatcher: direct, origin: proxy.origin, path: target.href, headers, peer };
    },
    async close() {
      await Promise.all([...tunnels.values()].map((tunnel) => tunnel.destroy()));
    },
  };
}

function credentialsOf({ username, password }: URL): string | undefined {
  return username === '' && password === '' ? undefined : basic(username, password);
}
