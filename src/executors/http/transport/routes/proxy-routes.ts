import type { buildConnector } from 'undici';
import type { HeaderList } from '../../request/headers.ts';
import { basic, type Target } from '../../request/target.ts';
import type { Connector, Sender } from '../connection-pool.ts';
import type { ProxySettings } from '../proxy.ts';
import { proxyHost, tunnelBy } from '../tunnel.ts';
import { isSocks, socksBy } from './socks.ts';

/** Route to a target. */
export interface Route {
  readonly dispatcher: Sender;
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

/** Opens a pool whose connections are made in some way. */
export type OpenSender = (by: (connector: Connector) => buildConnector.connector) => Sender;

/**
 * Opens routes through proxies. A request over http goes to an HTTP proxy with its whole url; one over https goes
 * through a tunnel (CONNECT), as all do through SOCKS5 and to other places (`--connect-to`).
 * @param direct pool of connections, also to proxies
 * @param open opens a pool for connections that are made through a proxy
 */
export function openProxies(
  settings: ProxySettings,
  direct: Sender,
  { detours }: Connector,
  open: OpenSender,
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
  return {
    route(target) {
      const { protocol, hostname, port, host } = new URL(target.origin);
      const isPlain = protocol === 'http:';
      const proxy = isPlain ? settings.http : settings.https;
      if (proxy === undefined) return undefined;
      const place = {
        hostname: hostname.replace(/^\[|\]$/g, ''),
        port: Number(port) || (isPlain ? 80 : 443),
      };
      if (settings.isDirect(hostname, place.port)) return undefined;
      if (!isPlain || isSocks(proxy) || detours?.connectTo(place) !== undefined)
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
