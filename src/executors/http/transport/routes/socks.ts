import type { buildConnector } from 'undici';
import { unescaped } from '../../request/target.ts';
import type { Connector } from '../connection-pool.ts';
import { byProxy, type ProxyError, proxyWay, REFUSED, UNAUTHORIZED } from '../tunnel.ts';
import { type Endpoint, endpointOf } from './detours.ts';

/** Answers of a SOCKS server (RFC 1928, 6) by the names that the package `socks` gives them. */
const ANSWERS: Readonly<Record<string, string>> = {
  Failure: 'it failed',
  NotAllowed: 'its rules do not allow it',
  NetworkUnreachable: 'no route to the network',
  HostUnreachable: 'the host cannot be reached',
  ConnectionRefused: 'connection refused',
  TTLExpired: 'no answer in time',
  CommandNotSupported: 'it does not make connections',
  AddressNotSupported: 'it does not know this kind of address',
};

/**
 * Returns a connector through a SOCKS5 server, with TLS inside for https. With `socks5h` the server looks up the
 * names of hosts; with `socks5` this process does, and checks their addresses.
 */
export function socksBy(proxy: URL, connector: Connector): buildConnector.connector {
  const isRemote = proxy.protocol === 'socks5h:';
  const way = proxyWay(proxy);
  return (target, done) => {
    const fail = (error: Error): void => done(error, null);
    destinationOf(target, isRemote, connector).then((destination) => {
      connector.toProxy({ ...way, protocol: 'http:' }, (error, socket) => {
        if (error !== null) return fail(byProxy(proxy, error));
        connector.hold(socket);
        const asked = ask(proxy, socket, destination, connector.timeout);
        const enter = (): void => {
          if (target.protocol !== 'https:') done(null, socket);
          else connector.connect({ ...target, httpSocket: socket }, done);
        };
        asked.finally(() => connector.release(socket)).then(enter, fail);
      });
    }, fail);
  };
}

/** Returns the place to ask the server for. Rejects if its name is unknown or its address denied. */
async function destinationOf(
  target: buildConnector.Options,
  isRemote: boolean,
  { detours, resolve }: Connector,
): Promise<Endpoint> {
  const place = endpointOf(target);
  if (isRemote) return detours?.connectTo(place) ?? place;
  return resolve(detours?.placesFor(place)?.[0] ?? place);
}

type Socket = NonNullable<buildConnector.Options['httpSocket']>;

/** Asks for a connection to a place. Rejects with a {@link ProxyError}. */
async function ask(proxy: URL, socket: Socket, { hostname, port }: Endpoint, timeout: number): Promise<void> {
  const { SocksClient } = await import('socks');
  const way = proxyWay(proxy);
  const credentials = { userId: unescaped(proxy.username), password: unescaped(proxy.password) };
  try {
    await SocksClient.createConnection({
      proxy: { host: way.hostname, port: Number(way.port), type: 5, ...credentials },
      command: 'connect',
      destination: { host: hostname, port },
      existing_socket: socket,
      timeout,
    });
  } catch (error) {
    throw failureOf(proxy, error as Error);
  }
}

/** Returns an error without the error of the package, which contains the password. */
function failureOf(proxy: URL, { message }: Error): ProxyError {
  const [, answer] = / rejected connection - (\w+)/.exec(message) ?? [];
  if (answer !== undefined) return byProxy(proxy, coded(ANSWERS[answer] ?? answer, REFUSED));
  if (/authentication/i.test(message)) return byProxy(proxy, coded('', UNAUTHORIZED));
  if (/timed out/.test(message)) return byProxy(proxy, coded('no answer', 'ETIMEDOUT'));
  if (message === 'Socket closed') return byProxy(proxy, coded('it closed the connection', 'ECONNRESET'));
  const isOther = /handshake/.test(message);
  return byProxy(proxy, new Error(isOther ? 'it does not speak SOCKS5' : message));
}

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}

/** Returns whether a proxy is a SOCKS5 server. */
export function isSocks({ protocol }: URL): boolean {
  return protocol === 'socks5:' || protocol === 'socks5h:';
}

/** Returns the fault of the url of a SOCKS5 server; undefined if it is valid. */
export function socksProblem({ username, password, hostname }: URL): string | undefined {
  const isLong = [username, password].some((one) => Buffer.byteLength(unescaped(one)) > 255);
  if (isLong) return 'user and password of SOCKS5 have at most 255 bytes each';
  return hostname === '' ? 'the host is missing' : undefined;
}
