import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { pipeline, Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { AnswerHeaders } from '../answer.ts';
import type { Line } from '../connection.ts';
import { FaultError } from '../http-failure.ts';
import type { Http2Owner, Http2Request, StreamSession } from './contract.ts';

/** Maximum number of times that a request is sent again if the server has not processed it. */
const MOST_TRIES = 20;

/** Headers of a connection, which HTTP/2 does not have (RFC 9113, 8.2.2). */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set(
  'connection keep-alive proxy-connection transfer-encoding upgrade http2-settings'.split(' '),
);

/** One request and its answer: reports to an exchange the same events that undici reports for HTTP/1. */
export class Http2Stream implements Dispatcher.DispatchController, Line {
  aborted = false;
  reason: Error | null = null;
  isPaused = false;
  hasAnswer = false;
  readonly uses = 1;
  readonly hasExcess = false;
  readonly isLenient = false;
  readonly socket = undefined;
  readonly rejection = undefined;
  readonly #session: StreamSession;
  readonly #request: Http2Request;
  readonly #owner: Http2Owner;
  #stream: ClientHttp2Stream | undefined;
  /** Error of a file that is sent. */
  #bodyError: Error | undefined;
  #isEnded = false;

  constructor(session: StreamSession, request: Http2Request, owner: Http2Owner) {
    this.#session = session;
    this.#request = request;
    this.#owner = owner;
  }

  /** Sends the request. */
  start(session: ClientHttp2Session): void {
    const { handler, options } = this.#request;
    options.exchange.line = this;
    handler.onRequestStart(this, undefined);
    if (this.aborted) {
      this.#session.leave();
      return;
    }
    const { body = null } = options;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(http2Headers(options), { endStream: body === null });
    } catch (error) {
      this.#session.leave();
      const isOver = session.closed || session.destroyed;
      this.#fail(isOver ? (error as Error) : invalid(error as Error), isOver);
      return;
    }
    this.#stream = stream;
    this.#watch(stream);
    if (typeof body === 'string' || Buffer.isBuffer(body)) stream.end(body);
    else if (body !== null)
      pipeline(Readable.from(body as Readable), stream, (error) => {
        if (error instanceof FaultError) this.#bodyError = error;
      });
  }

  /** Does nothing: answers and refusals have separate frames. */
  readBeforeErrors(): void {}

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    if (this.#stream === undefined || this.#stream.closed) return;
    if (!this.hasAnswer) this.#session.examine();
    this.#stream.resume();
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  get paused(): boolean {
    return this.isPaused;
  }

  pause(): void {
    this.isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.#stream?.resume();
  }

  begin(): void {}
  end(): void {}

  #watch(stream: ClientHttp2Stream): void {
    const { handler } = this.#request;
    stream.on('response', (headers) => {
      this.hasAnswer = true;
      if (!this.aborted) handler.onResponseStart(this, headers[':status'] as number, answerHeaders(headers));
    });
    stream.on('data', (chunk: Buffer) => {
      if (!this.aborted) handler.onResponseData(this, chunk);
    });
    stream.once('end', () => {
      this.#isEnded = true;
    });
    stream.on('error', () => {}); // 'close' follows, with the code
    stream.once('close', () => this.#close(stream));
  }

  #close({ rstCode = 0, id }: ClientHttp2Stream): void {
    this.#session.leave();
    if (this.aborted) return;
    const isOdd = rstCode !== constants.NGHTTP2_NO_ERROR || !this.#isEnded;
    if (this.hasAnswer && !isOdd) {
      this.#request.handler.onResponseEnd(this, {});
      return;
    }
    const needsHttp1 = rstCode === constants.NGHTTP2_HTTP_1_1_REQUIRED;
    if (needsHttp1 && !this.hasAnswer) this.#owner.fallBack();
    const isRefused = needsHttp1 || rstCode === constants.NGHTTP2_REFUSED_STREAM;
    const error = this.#session.endedBy ?? new Error(`it closed the stream with ${nameOf(rstCode)}`);
    this.#fail(this.#bodyError ?? error, isRefused || this.#session.isUnprocessed(id));
  }

  /** Sends the request again if the server did not process it, and reports the error otherwise. */
  #fail(error: Error, isUnprocessed: boolean): void {
    const { body = null } = this.#request.options;
    const isRepeatable = body === null || typeof body === 'string' || Buffer.isBuffer(body);
    if (isUnprocessed && isRepeatable && !this.hasAnswer && this.#request.tries++ < MOST_TRIES)
      this.#owner.again(this.#request);
    else this.#request.handler.onResponseError(this, error);
  }
}

/** Returns the headers of a request. Its host is the authority. */
function http2Headers({ origin, path, method, headers }: Dispatcher.DispatchOptions): OutgoingHttpHeaders {
  const list = headers as string[];
  const made: Record<string, string | string[]> = {
    ':method': method,
    ':scheme': 'https',
    ':authority': new URL(String(origin)).host,
    ':path': path,
  };
  for (let i = 0; i < list.length; i += 2) {
    const name = (list[i] as string).toLowerCase();
    const value = list[i + 1] as string;
    const known = made[name];
    if (name === 'host') made[':authority'] = value;
    else if (CONNECTION_HEADERS.has(name) || (name === 'te' && value !== 'trailers')) continue;
    else made[name] = known === undefined ? value : [known, value].flat();
  }
  return made;
}

/** Returns an error of a request that cannot be sent. */
function invalid({ message }: Error): Error {
  return Object.assign(new Error(message), { code: 'UND_ERR_INVALID_ARG' });
}

/** Returns the headers of an answer without its status. */
function answerHeaders(headers: object): AnswerHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
}

/** Names of the error codes of HTTP/2 (RFC 9113, 7), by their numbers. */
const NAMES =
  'NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED'.split(
    ' ',
  );

function nameOf(code: number): string {
  return NAMES[code] ?? `code ${code}`;
}
