import { type ClientRequest, request } from 'node:http';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { Connector } from './connection-pool.ts';
import { endpointOf, shownEndpoint } from './routes/detours.ts';
import { squidReason } from './routes/squid-reason.ts';

type Connect = buildConnector.connector;

/** Error code for a proxy that refuses a tunnel; the message of the error is the answer of the proxy. */
export const REFUSED = 'TUNNEL_REFUSED';

/** Error of a proxy, or of the connection to it. The target behind it is not involved. */
export interface ProxyError extends Error {
  /** `host:port`. */
  readonly proxy: string;
  readonly cause: Error;
}

/** Error code for a proxy that does not accept user and password, or asks for them. */
export const UNAUTHORIZED = 'PROXY_UNAUTHORIZED';

/** Returns an error of the connection to a proxy. */
export function byProxy(proxy: URL, cause: Error): ProxyError {
  return Object.assign(new Error(cause.message, { cause }), { proxy: proxyHost(proxy) }) as ProxyError;
}

/**
 * Returns a connector through a proxy: it asks for a tunnel (CONNECT, RFC 9110, 9.3.6), with TLS inside for https.
 * @param proxy over http or https
 * @param authorization value of `Proxy-Authorization`
 */
export function tunnelBy(proxy: URL, authorization: string | undefined, connector: Connector): Connect {
  const way = proxyWay(proxy);
  return (target, done) => {
    connector.toProxy(way, (error, socket) => {
      if (error !== null) return done(byProxy(proxy, error), null);
      const place = endpointOf(target);
      connector.hold(socket);
      const asked = shownEndpoint(connector.detours?.connectTo(place) ?? place);
      const asking = ask(socket, asked, authorization, (refusal) => {
        connector.release(socket);
        if (refusal !== null) done(byProxy(proxy, refusal), null);
        else if (target.protocol !== 'https:') done(null, socket);
        else connector.connect({ ...target, httpSocket: socket }, done);
      });
      asking.setTimeout(connector.timeout, () => asking.destroy(timedOut()));
    });
  };
}

/** Usual ports by protocol of the proxy. */
const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Port of SOCKS servers. */
const SOCKS_PORT = 1080;

/** Returns where to connect to a proxy. */
export function proxyWay({ protocol, hostname, host, port }: URL): buildConnector.Options {
  const usual = String(PORTS[protocol] ?? SOCKS_PORT);
  return { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port: port === '' ? usual : port };
}

/** Returns the `host:port` of a proxy. */
export function proxyHost(proxy: URL): string {
  return `${proxy.hostname}:${proxyWay(proxy).port}`;
}

type Answered = (error: Error | null) => void;

/** Asks for a tunnel on a connection to a proxy. */
function ask(
  socket: Socket,
  place: string,
  authorization: string | undefined,
  done: Answered,
): ClientRequest {
  const credentials = authorization === undefined ? {} : { 'proxy-authorization': authorization };
  const headers = { host: place, connection: 'keep-alive', ...credentials };
  const asking = request({ method: 'CONNECT', path: place, headers, createConnection: () => socket });
  asking.on('error', (error) => done(error));
  asking.on('connect', (answer, _, first) => {
    const { statusCode = 0 } = answer;
    socket.setTimeout(0);
    if (statusCode >= 200 && statusCode < 300 && first.length === 0) return done(null);
    socket.on('error', () => {}).destroy();
    const code = statusCode === 407 ? UNAUTHORIZED : REFUSED;
    done(Object.assign(new Error(`it answered ${statusCode}${squidReason(answer.headers)}`), { code }));
  });
  asking.end();
  return asking;
}

function timedOut(): Error {
  return Object.assign(new Error('no answer to CONNECT'), { code: 'ETIMEDOUT' });
}
