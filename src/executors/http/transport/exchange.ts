import { TLSSocket } from 'node:tls';
import type { Dispatcher } from 'undici';
import { isIdempotent } from '../response/retry-after.ts';
import type { Answer, AnswerHeaders, BodySink, BodyStore } from './answer.ts';
import type { Line } from './connection.ts';
import { bodyMessage, connectionFault, type HttpFault, type TransferProgress } from './http-failure.ts';
import { isShortage } from './local-shortage.ts';

/** Error codes of a connection that the server has closed. */
const CLOSED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/**
 * Time after a request was sent within which a server that closes the connection has not read it, in milliseconds. A
 * server that fails while it works usually takes longer; a request that may not be repeated is then not sent again.
 */
const RACE = 100;

const GIVEN_UP = new Error('given up');
const EMPTY = Buffer.alloc(0);

/**
 * Longest body of a redirect that is read so that its connection can be reused; with a longer one the
 * connection is closed.
 */
const MAX_SKIPPED = 65_536;

/** Time to wait for the rest of the body of a redirect, in milliseconds. Then its connection is closed. */
const SKIP_TIME = 1000;

export interface ExchangeLimits {
  /** Longest body as received, in bytes. */
  readonly maxBody: number;
  /** Returns whether the body of such a response is not needed. */
  skips(status: number, headers: AnswerHeaders): boolean;
  /** Files for large bodies. Default: memory. */
  readonly store?: BodyStore | undefined;
}

/**
 * One request and its response: the handler that undici calls. It settles once, with a response whose body is
 * complete or with a fault.
 */
export class Exchange implements Dispatcher.DispatchHandler, TransferProgress {
  readonly host: string;
  readonly method: string;
  /** Connection, set by the pool. */
  line: Line | undefined;
  /**
   * True if the server closed a reused connection before it had the request, so that it did not act. Requests that
   * may not be repeated also require that the connection broke immediately after they were sent.
   */
  isLostRace = false;
  /** True if this machine was short of files or ports, so that the request was not sent. */
  isShort = false;
  /** Called for each progress, if there is a limit for silence. */
  onProgress: (() => void) | undefined;
  /** True if the request has a body, which the server may refuse before it has all of it. */
  hasBody = false;
  isSent = false;
  isAnswered = false;
  received = 0;
  announced: number | undefined;
  readonly #limits: ExchangeLimits;
  /** Response or fault; never rejects. */
  readonly ended: Promise<Answer | HttpFault>;
  #settle: (ended: Answer | HttpFault) => void = () => {};
  #controller: Dispatcher.DispatchController | undefined;
  #isDone = false;
  #sentAt = 0;
  #largest = Number.POSITIVE_INFINITY;
  #file: BodySink | undefined;
  #isSkipped = false;
  #skipTimer: NodeJS.Timeout | undefined;
  #status = 0;
  #reason = '';
  #headers: AnswerHeaders = {};
  #first: Buffer | undefined;
  #chunks: Buffer[] | undefined;

  constructor(host: string, method: string, limits: ExchangeLimits) {
    this.host = host;
    this.method = method;
    this.#limits = limits;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.isSent = true;
    this.onProgress?.();
    this.#controller = controller;
    this.#sentAt = performance.now();
    this.line?.begin(this.method);
    if (this.hasBody) this.line?.readBeforeErrors();
    if (this.#isDone) controller.abort(GIVEN_UP);
  }

  onResponseStart(_: unknown, status: number, headers: AnswerHeaders, reason?: string): void {
    this.onProgress?.();
    if (status < 200) return;
    this.isAnswered = true;
    this.#status = status;
    this.#headers = headers;
    this.#reason = reason ?? '';
    this.#isSkipped = this.#limits.skips(status, headers);
    if (this.#isSkipped) this.#skipTimer = setTimeout(() => this.#isDone || this.#end(true), SKIP_TIME);
    if (this.#limits.store !== undefined) this.#largest = this.#limits.store.inMemory(status, headers);
    const length = headers['content-length'];
    if (typeof length === 'string') {
      this.announced = Number(length);
      if (this.announced > this.#limits.maxBody && !this.#isSkipped && status !== 304) this.#tooLarge();
    }
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    if (this.#isDone) return;
    this.onProgress?.();
    this.received += chunk.length;
    if (this.#isSkipped) {
      if (this.received > MAX_SKIPPED) this.#end(true);
    } else if (this.received > this.#limits.maxBody) this.#tooLarge();
    else if (this.#file !== undefined) this.#store(this.#file, chunk);
    else if (this.received > this.#largest) this.#openFile(chunk);
    else if (this.#first === undefined) this.#first = chunk;
    else if (this.#chunks === undefined) this.#chunks = [this.#first, chunk];
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (!this.#isDone) this.#end(false);
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#isDone) return;
    // A 304 may announce the length of the body that it does not have (RFC 9110, 8.6); undici expects the
    // bytes.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' && this.#status === 304) this.#end(false);
    else {
      this.isLostRace = this.#lostRace(code);
      this.isShort = !this.isSent && isShortage(error);
      this.giveUp(connectionFault(this.line?.rejection ?? error, this));
    }
  }

  #lostRace(code: string | undefined): boolean {
    const { line } = this;
    if (!this.isSent || line === undefined || line.uses < 2 || line.hasAnswer) return false;
    if (!CLOSED.has(code ?? '')) return false;
    return isIdempotent(this.method) || performance.now() - this.#sentAt < RACE;
  }

  /** Ends the exchange and closes the connection. */
  giveUp(fault: HttpFault): void {
    if (this.#isDone) return;
    this.#isDone = true;
    if (this.#isSkipped) clearTimeout(this.#skipTimer);
    if (this.isSent) this.line?.end();
    void (fault.code === 'BODY_TOO_LARGE' ? this.#file?.discard() : this.#file?.suspend());
    this.#settle(fault);
    this.#controller?.abort(GIVEN_UP);
  }

  /**
   * Returns the fault of a settled response that must not be trusted after all. Call it after an `await`, when the
   * parser has read all bytes that arrived.
   */
  lateFault(): HttpFault | undefined {
    const { line } = this;
    if (line === undefined || this.#isSkipped || this.#isBodiless) return undefined;
    if (line.hasExcess && !line.isLenient) return this.#excess();
    const broken: NodeJS.ErrnoException | null | undefined = line.socket?.errored;
    if (broken === undefined || broken === null) return undefined;
    // undici treats a reset as the end of a body that only the end of the connection delimits.
    if (broken.code === 'ECONNRESET' && this.announced === undefined)
      return { code: 'CONNECTION', message: bodyMessage(this), again: 'idempotent' };
    // undici reports unexpected bytes in these two ways, depending on whether they look like a response.
    const isExcess = broken.message === 'bad response' || broken.name === 'HTTPParserError';
    return isExcess && !line.isLenient ? this.#excess() : undefined;
  }

  get isUnversioned(): boolean {
    const { uses, hasAnswer, socket } = this.line ?? {};
    return uses === 1 && hasAnswer === false && socket instanceof TLSSocket && socket.alpnProtocol === false;
  }

  get #isBodiless(): boolean {
    return this.method === 'HEAD' || this.#status === 204 || this.#status === 304;
  }

  #excess(): HttpFault {
    const message = `${this.host} sent more than the body of ${this.announced ?? this.received} bytes (--lenient ignores the rest)`;
    return { code: 'CONNECTION', message, again: 'idempotent' };
  }

  /** Moves a body from memory to a file. */
  #openFile(chunk: Buffer): void {
    const first = Buffer.concat([...(this.#chunks ?? [this.#first ?? EMPTY]), chunk]);
    this.#first = undefined;
    this.#chunks = undefined;
    const onError = (fault: HttpFault): void => this.giveUp(fault);
    const response = { status: this.#status, headers: this.#headers, host: this.host };
    this.#file = (this.#limits.store as BodyStore).open(response, first, onError);
    this.#store(this.#file, first);
  }

  #store(file: BodySink, chunk: Buffer): void {
    if (!file.write(chunk, () => this.line?.resume())) this.line?.pause();
  }

  #tooLarge(): void {
    const { maxBody } = this.#limits;
    const message = `the body from ${this.host} is longer than ${maxBody} bytes (--max-body)`;
    this.giveUp({ code: 'BODY_TOO_LARGE', message, again: 'never' });
  }

  #end(drops: boolean): void {
    this.#isDone = true;
    if (this.#isSkipped) clearTimeout(this.#skipTimer);
    this.line?.end();
    const body = this.#chunks === undefined ? this.#first : Buffer.concat(this.#chunks);
    this.#file?.end();
    this.#settle({
      status: this.#status,
      reason: this.#reason,
      headers: this.#headers,
      body: body ?? EMPTY,
      file: this.#file,
    });
    if (drops) this.#controller?.abort(GIVEN_UP);
  }
}
