/*
 * HTTP/2 over TLS, as many requests on a connection as the server takes. On Node's own client: undici 7 fails requests
 * in flight at a GOAWAY (undici #5089, #5468), and holds a POST back until the connection is idle (#5524).
 */
import type { Agent, buildConnector } from 'undici';
import type { Sender } from '../connection-pool.ts';
import type { Http2Request } from './contract.ts';
import { Http2Session } from './http2-session.ts';

/**
 * Opens a pool that uses HTTP/2 with servers that choose it (ALPN), and the other pool for all others.
 * @param connect offers `h2` and `http/1.1`
 */
export function openHttp2Pool(connect: buildConnector.connector, http1: Agent, timeout: number): Sender {
  const origins = new Map<string, Http2Origin>();
  return {
    dispatch(options, handler) {
      const name = String(options.origin);
      if (!name.startsWith('https:')) return http1.dispatch(options, handler);
      let origin = origins.get(name);
      if (origin === undefined) {
        origin = new Http2Origin(name, connect, http1, timeout);
        origins.set(name, origin);
      }
      return origin.send({ options, handler: handler as Http2Request['handler'], tries: 0 });
    },
    async destroy() {
      for (const origin of origins.values()) origin.destroy();
      await http1.destroy();
    },
  };
}

/** Controller for requests that were not sent. */
const NO_STREAM = { aborted: false, paused: false, reason: null, abort() {}, pause() {}, resume() {} };

/** Connections to one origin. A first connection shows the protocol of the server. */
class Http2Origin {
  readonly #origin: string;
  readonly #connect: buildConnector.connector;
  readonly #http1: Agent;
  readonly #timeout: number;
  readonly #sessions = new Set<Http2Session>();
  #waiting: Http2Request[] = [];
  #isConnecting = false;
  #isHttp1 = false;
  #isDestroyed = false;

  constructor(origin: string, connect: buildConnector.connector, http1: Agent, timeout: number) {
    this.#origin = origin;
    this.#connect = connect;
    this.#http1 = http1;
    this.#timeout = timeout;
  }

  send(request: Http2Request): boolean {
    if (this.#isHttp1) return this.#http1.dispatch(request.options, request.handler);
    for (const session of this.#sessions) {
      if (!session.hasRoom) continue;
      session.send(request);
      return true;
    }
    this.#waiting.push(request);
    this.#openIfFull();
    return false;
  }

  destroy(): void {
    this.#isDestroyed = true;
    for (const session of this.#sessions) session.destroy();
  }

  /** Opens another connection, unless one is being made or the server takes no requests at all. */
  #openIfFull(): void {
    if (this.#isConnecting || this.#waiting.length === 0) return;
    for (const session of this.#sessions) if (session.isUsable && session.limit === 0) return;
    this.#isConnecting = true;
    const { protocol, hostname, host, port } = new URL(this.#origin);
    const way = { protocol, hostname: hostname.replace(/^\[|\]$/g, ''), host, port };
    this.#connect(way, (error, socket) => {
      if (error !== null) this.#fail(error);
      else if (this.#isDestroyed) socket.destroy();
      else if ((socket as { alpnProtocol?: unknown }).alpnProtocol === 'h2') this.#begin(socket);
      else {
        socket.destroy();
        this.#fallBack();
      }
    });
  }

  #begin(socket: Parameters<typeof Http2Session.open>[1]): void {
    const session = Http2Session.open(this.#origin, socket, this.#timeout, {
      onReady: () => {
        this.#isConnecting = false;
        this.#drain();
      },
      onUnready: (error) => this.#fail(error),
      onRoom: () => this.#drain(),
      onEnd: () => void this.#sessions.delete(session),
      again: (request) => void this.send(request),
      fallBack: () => this.#fallBack(),
    });
    this.#sessions.add(session);
  }

  #drain(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const request of waiting) this.send(request);
  }

  #fail(error: Error): void {
    this.#isConnecting = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { handler } of waiting) handler.onResponseError(NO_STREAM, error);
  }

  /** Uses HTTP/1.1 from now on. */
  #fallBack(): void {
    this.#isConnecting = false;
    this.#isHttp1 = true;
    this.#drain();
  }
}
