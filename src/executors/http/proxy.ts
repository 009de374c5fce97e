import { BlockList, isIP } from 'node:net';
import { type Agent, type Dispatcher, ProxyAgent } from 'undici';
import { TaskpipeError } from '../../core/errors.ts';
import type { HeaderList } from './headers.ts';
import { originPool, type PoolOptions, UNLIMITED } from './pool.ts';
import { basic, shownUrl, type Target } from './target.ts';

/** The way to a target. */
export interface Route {
  readonly dispatcher: Dispatcher;
  /** Whom to connect to. */
  readonly origin: string;
  /** What to ask for. */
  readonly path: string;
  /** What to add to the headers. */
  readonly headers: HeaderList;
}

/** What lies between here and the targets. */
export interface Proxies {
  /** The way by a proxy; undefined for a direct one. */
  route(target: Target): Route | undefined;
  close(): Promise<void>;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Which proxies there are, and what needs none. */
export interface ProxySettings {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Whether a host, as a url has it, is reached without one. */
  isDirect(hostname: string, port: number): boolean;
}

/**
 * The proxies that `--proxy` says, which goes for all, or else the usual variables: `http_proxy`, `https_proxy`,
 * `all_proxy` and `no_proxy`, in small letters or capitals.
 * @throws {TaskpipeError} `USAGE` where a proxy is none that can be used
 */
export function proxySettings(proxy: string | undefined, env: Environment): ProxySettings | undefined {
  if (proxy !== undefined) {
    const url = proxyUrl(proxy, '--proxy');
    return { http: url, https: url, isDirect: () => false };
  }
  const from = (name: string): [value: string, name: string] | undefined => {
    const found = [name, name.toUpperCase()].find((one) => (env[one] ?? '') !== '');
    return found === undefined ? undefined : [env[found] as string, found];
  };
  const all = from('all_proxy');
  const plain = from('http_proxy') ?? all;
  const secure = from('https_proxy') ?? all;
  if (plain === undefined && secure === undefined) return undefined;
  return {
    http: plain && proxyUrl(...plain),
    https: secure && proxyUrl(...secure),
    isDirect: compileNoProxy(from('no_proxy')?.[0] ?? ''),
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
    const [, address = '', bits] = /^\[?([0-9a-f.:]+)\]?\/(\d+)$/.exec(entry) ?? [];
    const family = isIP(address);
    if (family !== 0 && Number(bits) <= (family === 4 ? 32 : 128)) {
      networks.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
      continue;
    }
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
export function openProxies(settings: ProxySettings, direct: Agent, options: PoolOptions): Proxies {
  const tunnels = new Map<string, ProxyAgent>();
  const tunnelBy = (proxy: URL): ProxyAgent => {
    let tunnel = tunnels.get(proxy.href);
    if (tunnel === undefined) {
      tunnel = openTunnel(proxy, options);
      tunnels.set(proxy.href, tunnel);
    }
    return tunnel;
  };
  return {
    route(target) {
      const { protocol, hostname, port, host } = new URL(target.origin);
      const isPlain = protocol === 'http:';
      const proxy = isPlain ? settings.http : settings.https;
      if (proxy === undefined) return undefined;
      if (settings.isDirect(hostname, port === '' ? (isPlain ? 80 : 443) : Number(port))) return undefined;
      if (!isPlain)
        return { dispatcher: tunnelBy(proxy), origin: target.origin, path: target.path, headers: [] };
      const credentials = credentialsOf(proxy);
      const authorization = credentials === undefined ? [] : ['proxy-authorization', credentials];
      const headers = ['host', host, ...authorization];
      return { dispatcher: direct, origin: proxy.origin, path: target.href, headers };
    },
    async close() {
      await Promise.all([...tunnels.values()].map((tunnel) => tunnel.destroy()));
    },
  };
}

function openTunnel(proxy: URL, { timeout, insecure }: PoolOptions): ProxyAgent {
  const tls = { timeout, rejectUnauthorized: !insecure };
  const token = credentialsOf(proxy);
  return new ProxyAgent({
    ...UNLIMITED,
    uri: proxy.origin,
    ...(token === undefined ? {} : { token }),
    requestTls: tls,
    proxyTls: tls,
    factory: originPool,
  });
}

function credentialsOf({ username, password }: URL): string | undefined {
  return username === '' && password === '' ? undefined : basic(username, password);
}
