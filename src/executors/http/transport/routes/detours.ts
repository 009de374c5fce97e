import { isIP } from 'node:net';
import type { buildConnector } from 'undici';
import { InvalidValue } from '../../../../core/options/option.ts';

/** Host and port to connect to. */
export interface Endpoint {
  /** Name or address, without brackets. */
  readonly hostname: string;
  readonly port: number;
}

/** Places to connect to instead of others, from `--connect-to` and `--resolve`. */
export interface Detours {
  /** Returns the place from `--connect-to`; undefined if no rule matches. */
  connectTo(place: Endpoint): Endpoint | undefined;
  /** Returns the places to try in order, by both options; undefined if none applies. */
  placesFor(place: Endpoint): readonly Endpoint[] | undefined;
}

/**
 * Rule of `--connect-to`. An undefined part of the source matches all; an undefined part of the target keeps the
 * requested one.
 */
interface Redirection {
  readonly from: Partial<Endpoint>;
  readonly to: Partial<Endpoint>;
}

/** Rule of `--resolve`. */
interface Resolution {
  readonly from: Partial<Endpoint>;
  readonly addresses: readonly string[];
}

/** Pattern of a host, which may be an address of IPv6 in brackets. */
const HOST = '(\\[[^\\]]+\\]|[^:]*)';
const REDIRECTION = new RegExp(`^${HOST}:(\\d*):${HOST}:(\\d*)$`);
const RESOLUTION = new RegExp(`^\\+?${HOST}:(\\d+):(.+)$`);

/** Parses `HOST1:PORT1:HOST2:PORT2`. @throws {InvalidValue} */
export function toRedirection(typed: string): Redirection {
  const [, from, port, to, newPort] = REDIRECTION.exec(typed) ?? [];
  if (from === undefined)
    throw new InvalidValue('must be HOST1:PORT1:HOST2:PORT2, such as example.com:443:127.0.0.1:8443');
  return { from: partOf(from, port), to: partOf(to, newPort) };
}

/** Parses `HOST:PORT:ADDR[,ADDR]…`. @throws {InvalidValue} */
export function toResolution(typed: string): Resolution {
  const [, host = '', port, list = ''] = RESOLUTION.exec(typed) ?? [];
  const addresses = list.split(',').map((one) => one.trim().replace(/^\[|\]$/g, ''));
  if (host === '' || addresses.some((one) => isIP(one) === 0))
    throw new InvalidValue('must be HOST:PORT:ADDRESS[,ADDRESS], such as example.com:443:127.0.0.1');
  return { from: partOf(host === '*' ? '' : host, port), addresses };
}

/** Returns the detours of both options; undefined if there are none. The first rule that matches counts. */
export function detoursOf(
  connectTo: readonly string[] = [],
  resolve: readonly string[] = [],
): Detours | undefined {
  if (connectTo.length === 0 && resolve.length === 0) return undefined;
  const redirections = connectTo.map(toRedirection);
  const resolutions = resolve.map(toResolution);
  const redirected = (place: Endpoint): Endpoint | undefined => {
    const rule = redirections.find(({ from }) => matches(from, place));
    return rule && { hostname: rule.to.hostname ?? place.hostname, port: rule.to.port ?? place.port };
  };
  return {
    connectTo: redirected,
    placesFor(asked) {
      const place = redirected(asked);
      const { hostname, port } = place ?? asked;
      const rule = resolutions.find(({ from }) => matches(from, { hostname, port }));
      if (rule !== undefined) return rule.addresses.map((address) => ({ hostname: address, port }));
      return place && [place];
    },
  };
}

/**
 * Returns a connector that connects to other places. TLS still verifies the host of the url, and the given connector
 * checks the address of the other place.
 */
export function detoured(connect: buildConnector.connector, detours: Detours): buildConnector.connector {
  return (target, done) => {
    const places = target.httpSocket ? undefined : detours.placesFor(endpointOf(target));
    if (places === undefined) return connect(target, done);
    const tryPlace = ([place, ...others]: readonly Endpoint[]): void => {
      const { hostname, port } = place as Endpoint;
      const way = { protocol: 'http:', hostname, host: hostname, port: String(port) };
      connect(way, (error, socket) => {
        if (error === null && target.protocol === 'https:') connect({ ...target, httpSocket: socket }, done);
        else if (error === null) done(null, socket);
        else if (others.length > 0) tryPlace(others);
        else done(Object.assign(error, { at: shownEndpoint(place as Endpoint) }), null);
      });
    };
    tryPlace(places);
  };
}

/** Returns host and port of a target of undici. */
export function endpointOf({ hostname, port, protocol }: buildConnector.Options): Endpoint {
  const usual = protocol === 'https:' ? 443 : 80;
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port ? Number(port) : usual };
}

/** Returns `host:port`, with the brackets of IPv6. */
export function shownEndpoint({ hostname, port }: Endpoint): string {
  return isIP(hostname) === 6 ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

function partOf(host = '', port = ''): Partial<Endpoint> {
  const hostname = host.replace(/^\[|\]$/g, '').toLowerCase();
  return { ...(hostname !== '' && { hostname }), ...(port !== '' && { port: Number(port) }) };
}

function matches(from: Partial<Endpoint>, { hostname, port }: Endpoint): boolean {
  return (from.hostname ?? hostname) === hostname && (from.port ?? port) === port;
}
