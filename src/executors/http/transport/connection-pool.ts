import { isIP, type Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { Connection } from './connection.ts';
import { isShortage, makeRoom } from './local-shortage.ts';
import { type AddressRule, deniedError, guardedLookup } from './names/addresses.ts';
import type { NameLookup } from './names/name-lookup.ts';

/** Arguments of `dispatch`: those of undici, and the exchange that learns its connection. */
export interface Dispatch extends Dispatcher.DispatchOptions {
  readonly exchange: { line: Connection | undefined };
  /** Dispatcher to use instead of the pool. */
  readonly by?: Dispatcher;
}

export interface PoolOptions {
  /** Longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  /** True if any certificate is accepted. */
  readonly insecure: boolean;
  /** True if answers are accepted that leave the end of their body uncertain. */
  readonly lenient: boolean;
  readonly names: NameLookup;
  /** Authorities and client certificate. Default: authorities of Node. */
  readonly secureContext?: SecureContext | undefined;
  /** Those for proxies. */
  readonly proxyContext?: SecureContext | undefined;
  /** Addresses that may be connected to. Default: all. */
  readonly mayConnect?: AddressRule | undefined;
}

/** Makes connections, and aborts those that are being made. */
export interface Connector {
  /** Longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  readonly lenient: boolean;
  readonly connect: buildConnector.connector;
  /** Counts a connection as still being made, so that `abandon` closes it. */
  hold(socket: Socket): void;
  /** Ends `hold`. */
  release(socket: Socket): void;
  /** Closes all connections that are being made. */
  abandon(): void;
}

/** Client of undici that tells each exchange its connection. */
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
  const { timeout, insecure, lenient, mayConnect, names } = options;
  const lookup = mayConnect === undefined ? names.lookup : guardedLookup(mayConnect, names.lookup);
  // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 would otherwise switch verification off unnoticed.
  const connectorWith = (secureContext: SecureContext | undefined): Build =>
    buildConnector({
      timeout,
      rejectUnauthorized: !insecure,
      lookup,
      ...(secureContext && { secureContext }),
    }) as Build;
  const build = connectorWith(options.secureContext);
  const buildProxy =
    options.secureContext === options.proxyContext ? build : connectorWith(options.proxyContext);
  const opening = new Set<Socket>();
  const waiting = new Set<NodeJS.Timeout>();
  /** Makes a connection. While files or ports are short here, it waits, since the host is not at fault. */
  const make = (target: buildConnector.Options, done: buildConnector.Callback, end: number): void => {
    const socket = ('isProxy' in target ? buildProxy : build)(target, (...result) => {
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
  return {
    timeout,
    lenient,
    connect(target, done) {
      // An address is not looked up, so the lookup does not check it.
      if (mayConnect !== undefined && isIP(target.hostname) !== 0 && !mayConnect(target.hostname)) {
        queueMicrotask(() => done(deniedError(), null));
        return;
      }
      make(target, done, performance.now() + timeout);
    },
    hold: (socket) => void opening.add(socket),
    release: (socket) => void opening.delete(socket),
    abandon() {
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

/** Opens a pool that uses each connection for one request. */
export function openFreshPool(connect: buildConnector.connector, isLenient: boolean): Agent {
  return new Agent({ ...UNLIMITED, connect, factory: poolMaker(isLenient), pipelining: 0 });
}
