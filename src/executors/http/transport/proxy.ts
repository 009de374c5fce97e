import { BlockList, isIP } from 'node:net';
import type { Agent, Dispatcher } from 'undici';
import { TaskpipeError } from '../../../core/base/errors.ts';
import type { HeaderList } from '../request/headers.ts';
import { basic, shownUrl, type Target } from '../request/target.ts';
import { addIfNetwork } from './addresses.ts';
import { type Connector, openPool } from './connection-pool.ts';
import { proxyHost, tunnelBy } from './tunnel.ts';

/** The way to a target. */
export interface Route {
  readonly dispatcher: Dispatcher;
  /** Whom to connect to. */
  readonly origin: string;
  /** What to ask for. */
  readonly path: string;
  /** What to add to the headers. */
  readonly headers: HeaderList;
  /** Who is spoken to, for messages, where that is not the target. */
  readonly peer?: string;
}

/** What lies between here and the targets. */
export interface Proxies {
  /** The way by a proxy; undefined for a direct one. */
  route(target: Target): Route | undefined;
  close(): Promise<void>;
}

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Which proxies there are, and what needs none. */
export interface ProxySettings {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Where they are from, as in `--proxy`. */
  readonly from: string;
  /** Whether a host, as a url has it, is reached without one. */
  isDirect(hostname: string, port: number): boolean;
}

/**
 * The proxies that `--proxy` says, which goes for all, or else the usual variables: `http_proxy`, `https_proxy`,
 * `all_proxy` and `no_proxy`, in small letters or capitals.
 * @throws {TaskpipeError} `USAGE` where a proxy is none that can be used
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
    // is said below
  }
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  const rule = 'must be the url of an HTTP proxy (SOCKS is not supported)';
  throw new TaskpipeError('USAGE', `${from} ${rule}; got ${shownUrl(text)}`);
}

/**
 * What `no_proxy` leaves out: hosts with all below them (a dot or `*.` before them makes no difference), addresses,
 * networks such as `10.0.0.0/8`, each with a port or without; `*` is all.
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

/** A host without the brackets of IPv6 and a last dot. */
function bare(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}

/**
 * Opens the ways by proxies. A request over http goes to the proxy with its whole url; one over https goes through a
 * tunnel (CONNECT).
 * @param direct the pool of connections, to proxies too
 */
export function openProxies(settings: ProxySettings, direct: Agent, connector: Connector): Proxies {
  const tunnels = new Map<string, Agent>();
  const tunnelsBy = (proxy: URL): Agent => {
    let pool = tunnels.get(proxy.href);
    if (pool === undefined) {
      pool = openPool(tunnelBy(proxy, credentialsOf(proxy), connector));
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
