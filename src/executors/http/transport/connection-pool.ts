import { isIP, type Socket } from 'node:net';
import { Agent, buildConnector, Client, type Dispatcher, Pool } from 'undici';
import { type AddressRule, deniedError, guardedLookup } from './addresses.ts';

/** The connection that a request went out on. */
export interface Connection {
  socket: Socket | undefined;
  /** Whether the server sent bytes past the end of a body after which it wanted to close. */
  hasExcess: boolean;
}

/** What `dispatch` is given: what undici wants, and who is to be told of the connection. */
export interface Dispatch extends Dispatcher.DispatchOptions {
  readonly exchange: { line: Connection | undefined };
  /** Who sends it, where that is not the pool. */
  readonly by?: Dispatcher;
}

export interface PoolOptions {
  /** The longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  /** Whether any certificate is trusted. */
  readonly insecure: boolean;
  /** Which addresses may be connected to. Default: all. */
  readonly mayConnect?: AddressRule | undefined;
}

/** How connections are made, and what ends those that are still being made. */
export interface Connector {
  /** The longest time to make a connection, in milliseconds. */
  readonly timeout: number;
  readonly connect: buildConnector.connector;
  /** Has a connection given up with those that are being made: it is not of use yet. */
  hold(socket: Socket): void;
  /** Takes that back. */
  release(socket: Socket): void;
  /** Gives up all that are being made. */
  abandon(): void;
}

/** A client of undici that tells each exchange which connection it is on. */
class WatchedClient extends Client {
  readonly #line: Connection;

  constructor(origin: string | URL, options: Pool.Options) {
    const line: Connection = { socket: undefined, hasExcess: false };
    const connect = options.connect as buildConnector.connector;
    super(origin, {
      ...options,
      connect: (target, done) =>
        connect(target, (...[error, socket]) => {
          if (error !== null) return done(error, null);
          watch(socket, line);
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

/**
 * The parser of undici gives back what it did not use when a connection is to be closed. Nothing else shows that a
 * body was longer than it was announced there.
 */
function watch(socket: Socket, line: Connection): void {
  const unshift = socket.unshift.bind(socket);
  socket.unshift = (chunk: Buffer): void => {
    if (chunk.length > 0) line.hasExcess = true;
    unshift(chunk);
  };
  line.socket = socket;
  line.hasExcess = false;
}

/** A pool of one origin. */
function originPool(origin: string | URL, options: object): Pool {
  return new Pool(origin, { ...options, factory: (url, more) => new WatchedClient(url, more) });
}

/** undici's own time-outs are off: the deadline of an attempt is ours, and total. */
const UNLIMITED = { headersTimeout: 0, bodyTimeout: 0 } as const;

export function openConnector({ timeout, insecure, mayConnect }: PoolOptions): Connector {
  const guard = mayConnect === undefined ? {} : { lookup: guardedLookup(mayConnect) };
  // Explicit, or NODE_TLS_REJECT_UNAUTHORIZED=0 would switch verifying off behind the user's back.
  const build = buildConnector({ timeout, rejectUnauthorized: !insecure, ...guard }) as (
    ...args: Parameters<buildConnector.connector>
  ) => Socket;
  const opening = new Set<Socket>();
  return {
    timeout,
    connect(target, done) {
      // An address is never looked up.
      if (mayConnect !== undefined && isIP(target.hostname) !== 0 && !mayConnect(target.hostname)) {
        queueMicrotask(() => done(deniedError(), null));
        return;
      }
      const socket = build(target, (...result) => {
        opening.delete(socket);
        done(...result);
      });
      opening.add(socket);
    },
    hold: (socket) => void opening.add(socket),
    release: (socket) => void opening.delete(socket),
    abandon() {
      for (const socket of opening) socket.destroy();
    },
  };
}

/** One keep-alive pool for all origins. How many connections there are is for the stage to limit. */
export function openPool(connect: buildConnector.connector): Agent {
  return new Agent({ ...UNLIMITED, connect, factory: originPool });
}
