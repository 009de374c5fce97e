import type { buildConnector } from 'undici';
import { basic, type Target } from '../../request/target.ts';
import type { Answer } from '../answer.ts';
import type { Connector, Sender } from '../connection-pool.ts';
import type { HttpFault } from '../http-failure.ts';
import type { ProxySettings } from '../proxy.ts';
import { proxyHost, tunnelBy } from '../tunnel.ts';
import { type Endpoint, endpointOf } from './detours.ts';
import { type Journey, ProxyList } from './proxy-list.ts';
import type { Route } from './route.ts';
import { isSocks, socksBy } from './socks.ts';

/** Proxies between this process and the targets. */
export interface Proxies {
  /** Returns the route through a proxy; undefined for a direct one. */
  route(target: Target): Route | undefined;
  /** Function that sends a request through the proxies of a list; undefined if there is no list. */
  readonly inTurn:
    | ((target: Target, journey: Omit<Journey, 'routeBy'>) => Promise<Answer | HttpFault>)
    | undefined;
  close(): Promise<void>;
}

/** Function that opens a pool, which makes its connections with the given connector. */
export type OpenSender = (by: (connector: Connector) => buildConnector.connector) => Sender;

/**
 * Opens routes through proxies. A request over http goes to an HTTP proxy with its whole url; one over https goes
 * through a tunnel (CONNECT), as all do through SOCKS5 and to other places (`--connect-to`).
 * @param direct pool of connections, also to proxies
 * @param open opens a pool for connections that are made through a proxy
 * @param info receives messages about proxies of a list
 */
export function openProxies(
  settings: ProxySettings,
  direct: Sender,
  { detours }: Connector,
  open: OpenSender,
  info: (message: string) => void = () => {},
): Proxies {
  const tunnels = new Map<string, Sender>();
  const tunnelsBy = (proxy: URL): Sender => {
    let pool = tunnels.get(proxy.href);
    if (pool === undefined) {
      pool = open((connector) =>
        isSocks(proxy) ? socksBy(proxy, connector) : tunnelBy(proxy, credentialsOf(proxy), connector),
      );
      tunnels.set(proxy.href, pool);
    }
    return pool;
  };
  const routeBy = (proxy: URL, { origin, path, href }: Target): Route => {
    const { protocol, host } = new URL(origin);
    const isPlain = protocol === 'http:';
    if (!isPlain || isSocks(proxy) || detours?.connectTo(endpointOfUrl(origin)) !== undefined)
      return { dispatcher: tunnelsBy(proxy), origin, path, headers: [] };
    const credentials = credentialsOf(proxy);
    const authorization = credentials === undefined ? [] : ['proxy-authorization', credentials];
    const headers = ['host', host, ...authorization];
    const peer = `the proxy ${proxyHost(proxy)}`;
    return { dispatcher: direct, origin: proxy.origin, path: href, headers, peer };
  };
  const list = settings.list && new ProxyList(settings.list, settings.from, info);
  return {
    route(target) {
      const proxy = target.origin.startsWith('http:') ? settings.http : settings.https;
      const { hostname, port } = endpointOfUrl(target.origin);
      return proxy === undefined || settings.isDirect(hostname, port) ? undefined : routeBy(proxy, target);
    },
    inTurn:
      list && ((target, journey) => list.send({ ...journey, routeBy: (proxy) => routeBy(proxy, target) })),
    async close() {
      await Promise.all([...tunnels.values()].map((tunnel) => tunnel.destroy()));
    },
  };
}

/** Returns host and port of an origin. */
function endpointOfUrl(origin: string): Endpoint {
  const { protocol, hostname, port } = new URL(origin);
  return endpointOf({ protocol, hostname, port });
}

function credentialsOf({ username, password }: URL): string | undefined {
  return username === '' && password === '' ? undefined : basic(username, password);
}
