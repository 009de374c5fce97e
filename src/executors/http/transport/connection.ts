import type { Socket } from 'node:net';
import { badAnswer, closingHead, headLength, looksLikeHttp, repairHead } from './response-head.ts';

/** Longest head that is collected for a repair, in bytes. The parser refuses heads over 16 KB. */
const MAX_HEAD = 65_536;

/** Maximum number of interim responses (1xx) before an answer. */
const MAX_INTERIM = 100;

/** Connections of this process that are open. */
const connections = new Set<Connection>();

/** Closes a connection on which no request is under way. Returns false if there is none. */
export function closeIdle(): boolean {
  for (const { isBusy, socket } of connections) {
    if (isBusy || socket === undefined || socket.destroyed) continue;
    socket.destroy();
    return true;
  }
  return false;
}

/** Alerts of TLS by which a server rejects the client certificate, or the lack of one. In TLS 1.3 they follow the handshake. */
const REJECTED = /^ERR_SSL_\w*ALERT_\w*(?:CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

type WriteDone = (error?: Error | null) => void;

/** Connection, or a part of it, as an exchange uses it. */
export type Line = Pick<
  Connection,
  | ('socket' | 'hasExcess' | 'hasAnswer' | 'uses' | 'isLenient' | 'isPaused' | 'rejection')
  | ('begin' | 'end' | 'pause' | 'resume' | 'readBeforeErrors')
>;

/** Kind of the next bytes: head of an answer, body, or bytes to ignore. */
type Expects = 'head' | 'body' | 'nothing';

/**
 * Connection that requests are sent on, one after the other. It hands the bytes of the server to undici's parser, and
 * repairs heads before: undici refuses more than curl and browsers do.
 */
export class Connection {
  socket: Socket | undefined;
  /** True if the server sent bytes after the end of a body that closed the connection. */
  hasExcess = false;
  /** True if bytes of the answer to the latest request have arrived. */
  hasAnswer = false;
  /** Number of requests sent on the socket. */
  uses = 0;
  /** Alert of the latest connection about the client certificate. undici reports only that the connection ended. */
  rejection: NodeJS.ErrnoException | undefined;
  /** True while a request is under way. */
  isBusy = false;
  /** True to accept answers with an uncertain end of the body. */
  readonly isLenient: boolean;
  #expects: Expects = 'body';
  #isHead = false;
  #isPaused = false;
  #interim = 0;
  /** Beginning of a head whose end has not arrived. */
  #held: Buffer | undefined;
  /** Socket whose failed writes wait for an answer. */
  #patient: Socket | undefined;

  constructor(isLenient: boolean) {
    this.isLenient = isLenient;
  }

  /** True if unread bytes may have arrived, because their receiver is busy. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Takes a new socket, and watches the bytes that it reads. */
  open(socket: Socket): void {
    this.socket = socket;
    this.hasExcess = false;
    this.uses = 0;
    this.isBusy = true; // the request for which it was made follows
    this.#expects = 'body';
    connections.add(this);
    socket.once('close', () => void connections.delete(this));
    this.rejection = undefined;
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (REJECTED.test(error.code ?? '')) this.rejection = error;
    });
    const unshift = socket.unshift.bind(socket);
    // undici's parser returns unused bytes when a connection closes; nothing else shows that a body was too long.
    const watchedUnshift = (chunk: Buffer): void => {
      if (chunk.length > 0) this.hasExcess = true;
      unshift(chunk);
    };
    const read = socket.read.bind(socket);
    const watchedRead = (size?: number): Buffer | null => {
      if (this.#isPaused && size !== 0) return null;
      const chunk = read(size) as Buffer | null;
      if (chunk === null || this.#expects === 'body') return chunk;
      return this.#taken(chunk, read);
    };
    socket.unshift = watchedUnshift;
    socket.read = watchedRead;
  }

  /**
   * Reads the answer before a failed write closes the socket: a server that refuses an upload answers and closes, and
   * its answer is then waiting to be read. Only for requests with a body, since it costs an additional function for
   * each write.
   */
  readBeforeErrors(): void {
    const { socket } = this;
    if (socket === undefined || this.#patient === socket) return;
    this.#patient = socket;
    const later =
      (done: WriteDone): WriteDone =>
      (error) => {
        if (error) setImmediate(() => setImmediate(done, error));
        else done();
      };
    const [write, writev] = [socket._write.bind(socket), socket._writev?.bind(socket)];
    const patientWrite: Socket['_write'] = (chunk, encoding, done) => write(chunk, encoding, later(done));
    const patientWritev: Socket['_writev'] = (chunks, done) => writev?.(chunks, later(done));
    socket._write = patientWrite;
    if (writev !== undefined) socket._writev = patientWritev;
  }

  /** Stops reading, so that the server has to wait. undici's own pause fails if the connection breaks meanwhile. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket?.emit('readable');
  }

  /** Notes that a request goes out. */
  begin(method: string): void {
    this.uses++;
    this.isBusy = true;
    this.hasAnswer = false;
    this.#expects = 'head';
    this.#isHead = method === 'HEAD';
    this.#isPaused = false;
    this.#interim = 0;
    this.#held = undefined;
  }

  /** Notes that the request has ended. */
  end(): void {
    this.isBusy = false;
  }

  /** Returns the bytes for the parser; null if there are none yet. */
  #taken(chunk: Buffer, read: () => Buffer | null): Buffer | null {
    for (let more: Buffer | null = chunk; more !== null; more = read()) {
      if (this.#expects === 'nothing') {
        this.socket?.destroy(); // bytes that no request asked for
        return null;
      }
      this.hasAnswer = true;
      const bytes: Buffer = this.#held === undefined ? more : Buffer.concat([this.#held, more]);
      this.#held = undefined;
      try {
        const answer = this.#answerIn(bytes);
        if (answer !== undefined) return answer;
      } catch (error) {
        this.socket?.destroy(error as Error);
        return null;
      }
    }
    return null;
  }

  /** Returns the first bytes of an answer; undefined if its head is not complete. */
  #answerIn(start: Buffer): Buffer | undefined {
    for (let bytes = start; ; ) {
      const length = looksLikeHttp(bytes) ? headLength(bytes) : bytes.length;
      if (length === 0 && bytes.length <= MAX_HEAD) {
        this.#held = bytes;
        return undefined;
      }
      if (length >= 0 && !this.#isHead && (length === 0 || !this.isLenient)) {
        this.#expects = 'body';
        return bytes;
      }
      const end = Math.abs(length);
      const { head, isBodiless } =
        length > 0 && !this.isLenient
          ? { head: bytes.subarray(0, end), isBodiless: false }
          : repairHead(bytes.toString('latin1', 0, end), this.isLenient);
      const rest = bytes.subarray(end);
      if (head !== undefined) return this.#answer(head, rest, isBodiless || this.#isHead);
      if (++this.#interim > MAX_INTERIM) throw badAnswer(`it begins with ${MAX_INTERIM} interim responses`);
      bytes = rest;
    }
  }

  #answer(head: Buffer, rest: Buffer, isBodiless: boolean): Buffer {
    this.#expects = isBodiless ? 'nothing' : 'body';
    if (!isBodiless) return rest.length === 0 ? head : Buffer.concat([head, rest]);
    return rest.length === 0 ? head : closingHead(head);
  }
}
