import { type ClientHttp2Session, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Http2Owner, Http2Request, StreamSession } from './contract.ts';
import { Http2Stream } from './http2-stream.ts';

/**
 * Window for the data of each stream, and for all streams together, in bytes. The defaults of 64 KB are slow over
 * long distances.
 */
const STREAM_WINDOW = 1024 * 1024;
const SESSION_WINDOW = 16 * 1024 * 1024;

/** Memory that a session may use, in MB. Node refuses streams beyond it. */
const MEMORY = 256;

/** Time to wait for the answer to a ping, in milliseconds. */
const PATIENCE = 5000;

/** Connection of HTTP/2. */
export class Http2Session implements StreamSession {
  readonly #session: ClientHttp2Session;
  readonly #owner: Http2Owner;
  #error: Error | undefined;
  #isReady = false;
  #isClosing = false;
  #isSuspect = false;
  #open = 0;
  /** Highest stream that the server may have processed, once the server has announced it. */
  #last = Number.POSITIVE_INFINITY;

  private constructor(session: ClientHttp2Session, owner: Http2Owner) {
    this.#session = session;
    this.#owner = owner;
  }

  /** Begins a session on a connection. @param timeout longest wait for the settings of the server, in milliseconds */
  static open(origin: string, socket: Duplex, timeout: number, owner: Http2Owner): Http2Session {
    const inner = connect(origin, {
      createConnection: () => socket,
      maxSessionMemory: MEMORY,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    const session = new Http2Session(inner, owner);
    session.#watch(timeout);
    return session;
  }

  /** True if it takes more requests, now or later. */
  get isUsable(): boolean {
    return this.#isReady && !this.#isClosing;
  }

  /** Maximum number of requests at once. */
  get limit(): number {
    return this.#session.remoteSettings?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
  }

  get hasRoom(): boolean {
    return this.isUsable && !this.#isSuspect && this.#open < this.limit;
  }

  get endedBy(): Error | undefined {
    return this.#error ?? (this.#session.destroyed ? closedEarly() : undefined);
  }

  isUnprocessed(id: number | undefined): boolean {
    return id === undefined || id > this.#last;
  }

  send(request: Http2Request): void {
    this.#open++;
    new Http2Stream(this, request, this.#owner).start(this.#session);
  }

  leave(): void {
    this.#open--;
    if (this.hasRoom) this.#owner.onRoom();
  }

  examine(): void {
    if (this.#isSuspect || this.#isClosing) return;
    this.#isSuspect = true;
    const gone = Object.assign(new Error('it does not answer to a ping'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => this.#session.destroy(gone), PATIENCE);
    timer.unref();
    const onPong = (): void => {
      clearTimeout(timer);
      this.#isSuspect = false;
      if (this.hasRoom) this.#owner.onRoom();
    };
    if (!this.#session.ping(onPong)) clearTimeout(timer);
  }

  destroy(): void {
    this.#session.destroy();
  }

  #watch(timeout: number): void {
    const session = this.#session;
    const late = Object.assign(new Error('no settings of HTTP/2'), { code: 'ETIMEDOUT' });
    const timer = setTimeout(() => session.destroy(late), timeout);
    session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW));
    session.on('remoteSettings', () => {
      clearTimeout(timer);
      if (this.#isReady) return void (this.hasRoom && this.#owner.onRoom());
      this.#isReady = true;
      this.#owner.onReady();
    });
    session.on('goaway', (code, last) => {
      if (code !== constants.NGHTTP2_NO_ERROR || last < 2 ** 31 - 1) this.#last = Math.min(this.#last, last);
      this.#end();
    });
    session.on('error', (error: Error) => {
      this.#error ??= error;
    });
    session.once('close', () => {
      clearTimeout(timer);
      this.#end();
      if (!this.#isReady) this.#owner.onUnready(this.#error ?? closedEarly());
    });
  }

  #end(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#owner.onEnd();
  }
}

function closedEarly(): Error {
  return Object.assign(new Error('it closed the connection'), { code: 'UND_ERR_SOCKET' });
}
