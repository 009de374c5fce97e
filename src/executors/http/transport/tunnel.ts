import { type ClientRequest, request } from 'node:http';
import type { Socket } from 'node:net';
import type { buildConnector } from 'undici';
import type { Connector } from './connection-pool.ts';

type Connect = buildConnector.connector;

/** Error code for a proxy that refuses a tunnel; the message of the error is the status. */
export const REFUSED = 'TUNNEL_REFUSED';

/** Error on the way to a proxy, or of the proxy. The target behind it is not involved. */
export interface ProxyError extends Error {
  /** `host:port`. */
  readonly proxy: string;
  readonly cause: Error;
}

/**
 * Returns a connector through a proxy: it asks for a tunnel (CONNECT, RFC 9110, 9.3.6), with TLS inside.
 * @param proxy over http or https
 * @param authorization value of `Proxy-Authorization`
 */
export function tunnelBy(proxy: URL, authorization: string | undefined, connector: Connector): Connect {
  const { protocol, hostname, host } = proxy;
  const place = proxyHost(proxy);
  const port = place.slice(place.lastIndexOf(':') + 1);
  const way = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port, isProxy: true };
  const byProxy = (cause: Error): ProxyError =>
    Object.assign(new Error(cause.message, { cause }), { proxy: place }) as ProxyError;
  return (target, done) => {
    connector.connect(way, (error, socket) => {
      if (error !== null) return done(byProxy(error), null);
      const asked = target.port === '' || target.port === undefined ? '443' : target.port;
      const name = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname;
      connector.hold(socket);
      const asking = ask(socket, `${name}:${asked}`, authorization, (refusal) => {
        connector.release(socket);
        if (refusal === null) connector.connect({ ...target, httpSocket: socket }, done);
        else done(byProxy(refusal), null);
      });
      asking.setTimeout(connector.timeout, () => asking.destroy(timedOut()));
    });
  };
}

/** Returns the `host:port` of a proxy. */
export function proxyHost({ host, port, protocol }: URL): string {
  return port === '' ? `${host}:${protocol === 'http:' ? 80 : 443}` : host;
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
    done(Object.assign(new Error(String(statusCode)), { code: REFUSED }));
  });
  asking.end();
  return asking;
}

function timedOut(): Error {
  return Object.assign(new Error('no answer to CONNECT'), { code: 'ETIMEDOUT' });
}
