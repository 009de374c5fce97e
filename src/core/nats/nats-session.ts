import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { ConnectionOptions, Msg, NatsConnection } from '@nats-io/transport-node';
import { ioError } from '../base/errors.ts';
import type { NatsHeaders, NatsMessage, NatsQuestion, NatsSession } from './contract.ts';
import type { NatsAddress } from './nats-address.ts';
import { LOST, SILENT } from './nats-faults.ts';
import { framesOf, type Letter } from './nats-frames.ts';
import { Questions } from './nats-questions.ts';

/** Interval of the checks, in milliseconds. */
const CHECK = 250;

/** Options of `openSession`, with times in milliseconds. */
export interface SessionOptions {
  /** Maximum time until the server has accepted the connection. */
  readonly timeout: number;
  /** Returns the maximum time in which the server shows no sign of life while it owes an answer. */
  readonly silence: () => number;
  /** Returns the maximum time without an answer of a server that is alive, as while its disk is busy. */
  readonly patience: () => number;
  /** Called once when the connection is lost, unless it was closed. */
  readonly onLost: (error: Error) => void;
}

/** Session that its owner can close. */
export interface OwnedSession extends NatsSession {
  close(): void;
}

/** Connects once. @throws the error of the client if that fails */
export async function openSession(address: NatsAddress, options: SessionOptions): Promise<OwnedSession> {
  const { connect, credsAuthenticator, nkeyAuthenticator } = await import('@nats-io/transport-node');
  const { servers, user, password, creds, nkey, tls } = address;
  const login =
    user === undefined ? (password === undefined ? {} : { token: password }) : { user, pass: password ?? '' };
  const connection = await connect({
    ...{ servers: [...servers], timeout: options.timeout, reconnect: false, name: 'taskpipe' },
    ...{ ignoreClusterUpdates: true, noAsyncTraces: true, pingInterval: 10_000, ...login },
    ...(creds === undefined ? {} : { authenticator: credsAuthenticator(bytesOf(creds)) }),
    ...(nkey === undefined ? {} : { authenticator: nkeyAuthenticator(seedIn(bytesOf(nkey))) }),
    ...(tls === undefined ? {} : { tls: tlsOptions(tls) as ConnectionOptions['tls'] }),
  } as ConnectionOptions);
  return new Session(connection, options);
}

/** @throws {TaskpipeError} `IO` */
function bytesOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw ioError('cannot read the credentials in', file, error);
  }
}

/** Returns the seed in a file that `nk` makes, without the end of its line. */
function seedIn(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString().trim());
}

function tlsOptions({ ca, cert, key, servername }: NonNullable<NatsAddress['tls']>): object {
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert, keyFile: key }),
    ...(servername === undefined ? {} : { servername }),
  };
}

class Session implements OwnedSession {
  readonly version: string;
  readonly serverId: string;
  readonly maxPayload: number;
  readonly #connection: NatsConnection;
  readonly #options: SessionOptions;
  readonly #inbox = `_INBOX.taskpipe${Math.random().toString(36).slice(2)}${Date.now().toString(36)}.`;
  readonly #questions = new Questions();
  readonly #watch: NodeJS.Timeout;
  /** Messages that this turn of the event loop sends. */
  #letters: Letter[] = [];
  readonly #since = performance.now();
  /** Number of answers, and this number at the last check. */
  #answers = 0;
  #before = 0;
  /** Time without a sign of life, and without an answer. */
  #silentFor = 0;
  #unansweredFor = 0;
  #isPinging = false;
  #error: Error | undefined;

  constructor(connection: NatsConnection, options: SessionOptions) {
    this.#connection = connection;
    this.#options = options;
    const { version = '', server_id = '', max_payload = 1024 * 1024 } = connection.info ?? {};
    this.version = version;
    this.serverId = server_id;
    this.maxPayload = max_payload;
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => (error === null ? this.#hear(message) : this.#lose(error)),
    });
    void this.#watchErrors();
    void connection.closed().then((error) => this.#lose(error ?? new Error(LOST)));
    this.#watch = setInterval(() => this.#check(), CHECK).unref();
  }

  get age(): number {
    return performance.now() - this.#since;
  }

  ask(subject: string, payload: string | Uint8Array = '', headers?: NatsHeaders): Promise<NatsMessage> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#questions.add((id) => this.#send({ subject, payload, headers, reply: this.#inbox + id }));
  }

  askAll(messages: readonly NatsQuestion[], headers?: NatsHeaders): Promise<readonly NatsMessage[]> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#questions.addAll(messages.length, (id, i) => {
      const [subject, payload] = messages[i] as NatsQuestion;
      this.#send({ subject, payload, headers, reply: this.#inbox + id });
    });
  }

  async askWithin(
    milliseconds: number,
    subject: string,
    payload: string | Uint8Array = '',
  ): Promise<NatsMessage | undefined> {
    if (this.#error !== undefined) throw this.#error;
    let id = '';
    const answer = this.#questions.add((added) => {
      id = added;
      this.#send({ subject, payload, headers: undefined, reply: this.#inbox + id });
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => {
        this.#questions.forget(id);
        resolve(undefined);
      }, milliseconds);
    });
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  tell(subject: string, payload: string | Uint8Array = '', reply?: string): void {
    if (this.#error === undefined) this.#send({ subject, payload, headers: undefined, reply });
  }

  expect<T>(work: (done: (value: T) => void) => void): Promise<T> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#questions.expect((done) =>
      work((value) => {
        this.#answers++;
        done(value);
      }),
    );
  }

  listen(subject: string, hear: (message: NatsMessage) => void): void {
    if (this.#error !== undefined) return;
    this.#connection.subscribe(subject, {
      callback: (error, message) => (error === null ? hear(new Heard(message)) : this.#lose(error)),
    });
  }

  flush(): Promise<void> {
    return this.expect((done) => {
      this.#sendAll();
      this.#connection.flush().then(done, () => {}); // the loss of the connection rejects it
    });
  }

  /** Sends a message with the others of this turn of the event loop: the client writes each burst at once. */
  #send(letter: Letter): void {
    if (this.#letters.push(letter) === 1) setImmediate(() => this.#sendAll());
  }

  #sendAll(): void {
    const letters = this.#letters;
    this.#letters = [];
    if (this.#error !== undefined || letters.length === 0) return;
    const frames = framesOf(letters, this.maxPayload, ({ reply = '' }, reason) => {
      this.#questions.refuse(reply.slice(this.#inbox.length), new Error(reason));
    });
    protocolOf(this.#connection).sendCommand(frames);
  }

  close(): void {
    this.#end(new Error(LOST));
  }

  #hear(message: Msg): void {
    const id = message.subject.slice(this.#inbox.length);
    if (this.#questions.answer(id, new Heard(message))) this.#answers++;
  }

  /** Ends the session if the user may not send a message: the server does not answer it. */
  async #watchErrors(): Promise<void> {
    for await (const status of this.#connection.status())
      if (status.type === 'error' && /ermission/.test(String(status.error))) this.#lose(status.error);
  }

  /** Counts silence in checks, not by the clock: this process may have been blocked or suspended. */
  #check(): void {
    const isWaiting = this.#questions.isWaiting && this.#answers === this.#before;
    this.#before = this.#answers;
    this.#silentFor = isWaiting ? this.#silentFor + CHECK : 0;
    this.#unansweredFor = isWaiting ? this.#unansweredFor + CHECK : 0;
    if (!isWaiting) return;
    const { silence, patience } = this.#options;
    if (this.#silentFor >= silence() || this.#unansweredFor >= patience()) this.#lose(new Error(SILENT));
    else if (!this.#isPinging) this.#ping();
  }

  #ping(): void {
    this.#isPinging = true;
    const hear = (): void => {
      this.#isPinging = false;
      this.#silentFor = 0;
    };
    this.#connection.flush().then(hear, () => {}); // the loss of the connection is reported elsewhere
  }

  #lose(error: Error): void {
    if (this.#error !== undefined) return;
    this.#end(error);
    this.#options.onLost(error);
  }

  #end(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    clearInterval(this.#watch);
    this.#questions.rejectAll(error);
    this.#connection.close().catch(() => {});
    protocolOf(this.#connection).transport?.socket?.destroy(); // a frozen server would never take the end
  }
}

/** Message of the client, behind our interface. */
class Heard implements NatsMessage {
  readonly #message: Msg;

  constructor(message: Msg) {
    this.#message = message;
  }

  get subject(): string {
    return this.#message.subject;
  }

  get reply(): string {
    return this.#message.reply ?? '';
  }

  get data(): Uint8Array {
    return this.#message.data;
  }

  get status(): number {
    return this.#message.headers?.code ?? 0;
  }

  header(name: string): string {
    return this.#message.headers?.get(name) ?? '';
  }
}

/** Parts of the client that its types do not show. */
interface Protocol {
  readonly transport?: { readonly socket?: Socket };
  /** Sends bytes in order with the commands of the client. */
  sendCommand(bytes: Uint8Array): void;
}

function protocolOf(connection: NatsConnection): Protocol {
  return (connection as unknown as { readonly protocol: Protocol }).protocol;
}
