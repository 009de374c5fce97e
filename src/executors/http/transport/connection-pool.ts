import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { Connection, type Line } from './connection.ts';
import { isShortage, makeRoom } from './local-shortage.ts';
import { type AddressRule, deniedError, guardedLookup } from './names/addresses.ts';
import { type LocalAddress, noLocalAddress } from './names/local-address.ts';
import type { NameLookup } from './names/name-lookup.ts';
import { type Detours, detoured, type Endpoint } from './routes/detours.ts';

/** Arguments of `dispatch`: those of undici, and the exchange that is assigned its connection. */
export interface Dispatch extends Dispatcher.DispatchOptions {
  readonly exchange: { line: Line | undefined };
  /** Dispatcher to use instead of the pool. */
  readonly by?: Sender;
}

/** Sender of requests on pooled connections: the part of undici's dispatchers that is used here. */
export interface Sender {
  dispatch(options: Dispatch, handler: Dispatcher.DispatchHandler): boolean;
  destroy(): Promise<void>;
}

export interface PoolOptions {
  /** Longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  /** True if HTTP/2 is offered to servers, beside HTTP/1.1. */
  readonly allowH2?: boolean;
  /** True if any certificate is accepted. */
  readonly insecure: boolean;
  /** True to accept answers with an uncertain end of the body. */
  readonly lenient: boolean;
  readonly names: NameLookup;
  /** Authorities and client certificate. Default: authorities of Node. */
  readonly secureContext?: SecureContext | undefined;
  /** Authorities and client certificate for proxies. */
  readonly proxyContext?: SecureContext | undefined;
  /** Addresses that may be connected to. Default: all. */
  readonly mayConnect?: AddressRule | undefined;
  /** Local address of connections. Default: chosen by the system. */
  readonly local?: LocalAddress | undefined;
  /** Places of `--connect-to` and `--resolve`. */
  readonly detours?: Detours | undefined;
}

/** Maker of connections, which can abort those that are being made. */
export interface Connector {
  /** Longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  readonly lenient: boolean;
  readonly detours: Detours | undefined;
  readonly connect: buildConnector.connector;
  /** Connector to a proxy, which does not check the address. */
  readonly toProxy: buildConnector.connector;
  /** Looks up the address of a place. Rejects if it is not allowed. */
  resolve(place: Endpoint): Promise<Endpoint>;
  /** Counts a connection as still being made, so that `abandon` closes it. */
  hold(socket: Socket): void;
  /** Ends `hold`. */
  release(socket: Socket): void;
  /** Closes all connections that are being made. */
  abandon(): void;
}

/** Client of undici that assigns each exchange its connection. */
class WatchedClient extends Client {
  readonly #line: Connection;

  constructor(origin: string | URL, options: Pool.Options, isLenient: boolean) {
    const line = new Connection(isLenient);
    const connect = options.connect as buildConnector.connector;
    super(origin, {
      ...options,
      connect: (target, done) =>
        connect(target, (...[error, socket]) => {
          if (error !== null) return done(error, null);
          line.open(socket);
          done(null, socket);
        }),
    });
    this.#line = line;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { exchange } = options as Partial<Dispatch>;
    if (exchange !== undefined) exchange.line = this.#line;
    return super.dispatch(options, handler);
  }
}

/** Returns the function that makes a pool for one origin. */
function poolMaker(isLenient: boolean): (origin: string | URL, options: object) => Pool {
  return (origin, options) =>
    new Pool(origin, { ...options, factory: (url, more) => new WatchedClient(url, more, isLenient) });
}

/** Connector that returns its socket, which the types of undici do not say. */
type Build = (...args: Parameters<buildConnector.connector>) => Socket;

/** Options that turn off undici's own timeouts: the deadline of an attempt is total, and ours. */
const UNLIMITED = { headersTimeout: 0, bodyTimeout: 0 } as const;

export function openConnector(options: PoolOptions): Connector {
  const { timeout, insecure, lenient, mayConnect, names, local, detours, allowH2 = false } = options;
  const { secureContext, proxyContext } = options;
  const lookup = mayConnect === undefined ? names.lookup : guardedLookup(mayConnect, names.lookup);
  // Explicit: otherwise NODE_TLS_REJECT_UNAUTHORIZED=0 would silently turn off verification.
  const build = buildConnector({
    ...{ timeout, rejectUnauthorized: !insecure, lookup, allowH2 },
    ...(local !== undefined && { family: local.family }),
    ...(secureContext && { secureContext }),
  }) as Build;
  const opening = new Set<Socket>();
  const waiting = new Set<NodeJS.Timeout>();
  /**
   * Makes a connection. Waits while this machine is short of files or ports, since that is not a fault of the host.
   */
  const make = (target: buildConnector.Options, done: buildConnector.Callback, end: number): void => {
    const socket = build(target, (...result) => {
      opening.delete(socket);
      if (result[0] === null || !isShortage(result[0]) || performance.now() > end) return done(...result);
      const timer = setTimeout(() => {
        waiting.delete(timer);
        make(target, done, end);
      }, makeRoom());
      waiting.add(timer);
    });
    opening.add(socket);
  };
  const connect: buildConnector.connector = (target, done) => {
    const { hostname, httpSocket } = target;
    const end = performance.now() + timeout;
    // A literal address is not looked up, so the lookup cannot check it.
    if (mayConnect !== undefined && !httpSocket && isIP(hostname) !== 0 && !mayConnect(hostname)) {
      queueMicrotask(() => done(deniedError(), null));
    } else if (local === undefined || httpSocket) make(target, done, end);
    else {
      const localAddress = local.for(hostname);
      if (localAddress === undefined) queueMicrotask(() => done(noLocalAddress(hostname), null));
      else make({ ...target, localAddress }, done, end);
    }
  };
  const isOwn = mayConnect !== undefined || secureContext !== proxyContext;
  const ways = isOwn
    ? openConnector({ ...options, mayConnect: undefined, secureContext: proxyContext })
    : undefined;
  const through = detours === undefined ? connect : detoured(connect, detours);
  return {
    timeout,
    lenient,
    detours,
    connect: through,
    toProxy: ways?.connect ?? through,
    resolve: (place) => resolved(place, lookup, mayConnect),
    hold: (socket) => void opening.add(socket),
    release: (socket) => void opening.delete(socket),
    abandon() {
      ways?.abandon();
      names.cancel();
      for (const timer of waiting) clearTimeout(timer);
      for (const socket of opening) socket.destroy();
    },
  };
}

/**
 * Opens a keep-alive pool for all origins.
 * @param connections most connections to one origin. Without it, a request that begins as another ends opens one more,
 *   since undici frees a connection a moment after the answer
 */
export function openPool(connect: buildConnector.connector, isLenient: boolean, connections?: number): Agent {
  const most = connections === undefined ? {} : { connections };
  return new Agent({ ...UNLIMITED, ...most, connect, factory: poolMaker(isLenient) });
}

/** Looks up the address of a place. Rejects if it is unknown or not allowed. */
function resolved(
  { hostname, port }: Endpoint,
  lookup: LookupFunction,
  mayConnect: AddressRule | undefined,
): Promise<Endpoint> {
  return new Promise((resolve, reject) => {
    if (isIP(hostname) !== 0) {
      if (mayConnect?.(hostname) === false) reject(deniedError());
      else resolve({ hostname, port });
      return;
    }
    lookup(hostname, { family: 0 }, (error, address) => {
      if (error !== null) reject(error);
      else resolve({ hostname: String(address), port });
    });
  });
}

/** Opens a pool that uses each connection for one request. */
export function openFreshPool(connect: buildConnector.connector, isLenient: boolean): Agent {
  return new Agent({ ...UNLIMITED, connect, factory: poolMaker(isLenient), pipelining: 0 });
}
