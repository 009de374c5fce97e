import type { NatsHeaders, NatsMessage, NatsQuestion, NatsSession } from './contract.ts';
import { JetStreamError, NO_MESSAGE, NOT_HEARD, SILENT, WRONG_LAST } from './nats-faults.ts';

/*
 * Calls of JetStream's API (its ADR-2, ADR-15 and ADR-31) over a session. They are messages with JSON, so that thousands
 * can be in flight, and all of them are rejected when the connection is lost.
 */

/** Errors of a message that was deleted before. */
const GONE: ReadonlySet<number> = new Set([10_043, 10_057, NO_MESSAGE]);

/** Maximum time for which a consumer of `scan` is kept after its last request, in nanoseconds. */
const SCAN_IDLE = 60e9;
/** Messages that one request of `scan` asks for, and their bytes. */
const SCAN_COUNT = 1000;
const SCAN_BYTES = 16 * 1024 * 1024;
/** Requests of `scan` without a message, after which it fails and is tried again. */
const SCAN_MISSES = 5;

/**
 * Maximum time for which a request for messages waits, in nanoseconds. A server counts messages as there that were
 * acknowledged before they were delivered (2.9), and would never answer a request without this time.
 */
const FETCH_WAIT = 250e6;

/** Time after which a request that the server has lost is given up, in milliseconds. */
const LATE = 2000;
/** Status of a request that has ended without all of its messages. */
const TOO_LATE = 408;

/** Stored message. */
export interface StoredMessage {
  readonly seq: number;
  /** Time at which it was stored, by the clock of the server, in milliseconds since the epoch. */
  readonly time: number;
  readonly subject: string;
  readonly data: Uint8Array;
  header(name: string): string;
}

/** Parts of the state of a stream. */
export interface StreamState {
  readonly messages: number;
  readonly first_seq: number;
  readonly first_ts: string;
  readonly last_seq: number;
}

function answerOf(message: NatsMessage): Record<string, unknown> {
  if (message.status !== 0)
    throw new JetStreamError(message.status, message.header('Description') || 'no answer');
  const answer = JSON.parse(textOf(message.data));
  if (answer.error)
    throw new JetStreamError(answer.error.err_code ?? answer.error.code, answer.error.description);
  return answer;
}

/** Returns bytes as text, without a copy of them. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

/** Answer to a stored message, such as `{"stream":"NAME", "seq":12}`. */
const STORED = /^\{"stream":"[^"\\]*", ?"seq":(\d+)[,}]/;

/** Calls the API. @throws {JetStreamError} */
export async function callApi<T = Record<string, unknown>>(
  session: NatsSession,
  call: string,
  body?: object,
): Promise<T> {
  const message = await session.ask(`$JS.API.${call}`, body === undefined ? '' : JSON.stringify(body));
  return answerOf(message) as T;
}

/** Stores a message. Returns its sequence number. @throws {JetStreamError} */
export async function publish(
  session: NatsSession,
  subject: string,
  payload: string | Uint8Array,
  headers?: NatsHeaders,
): Promise<number> {
  return numberIn(await session.ask(subject, payload, headers));
}

/** Returns the sequence number of a message that was stored. @param message answer of the server @throws {JetStreamError} */
function numberIn(message: NatsMessage): number {
  const seq = message.status === 0 ? STORED.exec(textOf(message.data))?.[1] : undefined;
  return seq === undefined ? (answerOf(message).seq as number) : Number(seq);
}

/** Headers of a message of whose subject there must not be one yet. */
const FIRST = { 'Nats-Expected-Last-Subject-Sequence': 0 };

/**
 * Stores messages whose subjects must not have one yet.
 * @returns the sequence number of each; undefined if its subject has a message
 * @throws {JetStreamError}
 */
export async function publishFirst(
  session: NatsSession,
  messages: readonly NatsQuestion[],
): Promise<readonly (number | undefined)[]> {
  const answers = await session.askAll(messages, FIRST);
  return answers.map((message) => {
    try {
      return numberIn(message);
    } catch (error) {
      if (error instanceof JetStreamError && error.number === WRONG_LAST) return undefined;
      throw error;
    }
  });
}

/** Returns the last message of a subject; undefined if there is none. */
export async function lastMessage(
  session: NatsSession,
  stream: string,
  subject: string,
): Promise<StoredMessage | undefined> {
  const message = await session.ask(`$JS.API.DIRECT.GET.${stream}.${subject}`);
  if (message.status === 404) return undefined;
  // Streams with copies are asked through their leader: a copy may lag behind.
  if (message.status === NOT_HEARD) return messageOf(session, stream, { last_by_subj: subject });
  return {
    seq: Number(message.header('Nats-Sequence')),
    time: Date.parse(message.header('Nats-Time-Stamp')),
    ...{ subject, data: message.data, header: (name: string) => message.header(name) },
  };
}

/** Returns a message by its number, or by a question of the API; undefined if there is none. */
export async function messageOf(
  session: NatsSession,
  stream: string,
  question: Readonly<Record<string, string | number>>,
): Promise<StoredMessage | undefined> {
  try {
    const { message } = await callApi<{
      message: { subject: string; seq: number; time: string; data?: string; hdrs?: string };
    }>(session, `STREAM.MSG.GET.${stream}`, question);
    const { subject, seq, time, data = '', hdrs = '' } = message;
    const lines = Buffer.from(hdrs, 'base64').toString().split('\r\n');
    const header = (name: string): string =>
      lines
        .find((line) => line.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim() ?? '';
    return { subject, seq, time: Date.parse(time), data: Buffer.from(data, 'base64'), header };
  } catch (error) {
    if (error instanceof JetStreamError && GONE.has(error.number)) return undefined;
    throw error;
  }
}

/** Deletes a message. Returns false if it was deleted before. */
export async function deleteMessage(session: NatsSession, stream: string, seq: number): Promise<boolean> {
  try {
    await callApi(session, `STREAM.MSG.DELETE.${stream}`, { seq, no_erase: true });
    return true;
  } catch (error) {
    if (error instanceof JetStreamError && GONE.has(error.number)) return false;
    throw error;
  }
}

export async function stateOf(session: NatsSession, stream: string): Promise<StreamState> {
  return (await callApi<{ state: StreamState }>(session, `STREAM.INFO.${stream}`)).state;
}

/** Parts of the subject to which a delivered message is acknowledged. */
export interface Delivery {
  /** Number of this delivery of the message, from 1. */
  readonly count: number;
  /** Number of the message in its stream. */
  readonly seq: number;
  /** Number of the delivery among all of the consumer. */
  readonly order: number;
  /** Number of messages that come after it. */
  readonly pending: number;
}

/** Dots of the subject that `deliveryOf` reads; the array is reused, as each task has several subjects to read. */
const dots: number[] = [];

/** Reads the subject to which a message is acknowledged: newer servers put two tokens more in front. */
export function deliveryOf(reply: string): Delivery {
  let count = 0;
  for (let dot = reply.indexOf('.'); dot >= 0; dot = reply.indexOf('.', dot + 1)) dots[count++] = dot;
  dots[count] = reply.length;
  const at = count > 8 ? 6 : 4;
  return {
    count: numberAt(reply, at),
    seq: numberAt(reply, at + 1),
    order: numberAt(reply, at + 2),
    pending: numberAt(reply, at + 4),
  };
}

/** Returns the number in a token of the subject whose dots were found. */
function numberAt(reply: string, token: number): number {
  return Number(reply.slice((dots[token - 1] as number) + 1, dots[token]));
}

/** Yields the messages of a stream in order, in batches. @param from number of the first one */
export async function* scan(
  session: NatsSession,
  stream: string,
  subject: string,
  from = 1,
): AsyncGenerator<readonly StoredMessage[]> {
  const { name, num_pending } = await callApi<{ name: string; num_pending: number }>(
    session,
    `CONSUMER.CREATE.${stream}`,
    {
      stream_name: stream,
      config: {
        ...{ deliver_policy: 'by_start_sequence', opt_start_seq: from, ack_policy: 'none' },
        ...{ filter_subject: subject, replay_policy: 'instant', mem_storage: true },
        ...{ num_replicas: 1, inactive_threshold: SCAN_IDLE },
      },
    },
  );
  const fetcher = new MessageFetcher(session, stream, name);
  for (let left = num_pending, misses = 0; left > 0; ) {
    const messages = await fetcher.fetch(SCAN_COUNT, Math.max(SCAN_BYTES, session.maxPayload * 2));
    const last = messages.at(-1);
    if (last === undefined) {
      // The rest was deleted meanwhile, or the server is slow.
      left = (await callApi<{ num_pending: number }>(session, `CONSUMER.INFO.${stream}.${name}`)).num_pending;
      if (left > 0 && ++misses === SCAN_MISSES) throw new Error(SILENT);
      continue;
    }
    yield messages.map(storedOf);
    left = deliveryOf(last.reply).pending;
  }
  await callApi(session, `CONSUMER.DELETE.${stream}.${name}`);
}

function storedOf(message: NatsMessage): StoredMessage {
  const { subject, reply, data } = message;
  const tokens = reply.split('.');
  const time = Number(tokens[tokens.length > 9 ? 9 : 7]) / 1e6;
  return { ...{ subject, data, time, seq: deliveryOf(reply).seq }, header: (name) => message.header(name) };
}

/** Fetches messages of a consumer: those that are there, or come within a moment. */
export class MessageFetcher {
  readonly #session: NatsSession;
  readonly #call: string;
  readonly #inbox = `_INBOX.taskpipe.fetch.${Math.random().toString(36).slice(2)}${Date.now().toString(36)}`;
  /** Messages that no call of `fetch` has returned. */
  #messages: NatsMessage[] = [];
  /** Number that is left to come, and what to call then. */
  #left = 0;
  #end: ((status: number) => void) | undefined;
  /** True if the server has not answered the last request: there may be no such consumer, which it does not say. */
  isUnanswered = false;

  constructor(session: NatsSession, stream: string, consumer: string) {
    this.#session = session;
    this.#call = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`;
    session.listen(this.#inbox, (message) => this.#hear(message));
  }

  async fetch(count: number, bytes: number): Promise<readonly NatsMessage[]> {
    if (this.#messages.length >= count) return this.#messages.splice(0, count);
    let timer: NodeJS.Timeout | undefined;
    const status = await this.#session
      .expect<number>((done) => {
        this.#left = count;
        this.isUnanswered = false;
        this.#end = done;
        const request = JSON.stringify({
          batch: count,
          no_wait: true,
          expires: FETCH_WAIT,
          max_bytes: bytes,
        });
        this.#session.tell(this.#call, request, this.#inbox);
        // What comes after this time is for the next call.
        timer = setTimeout(() => {
          this.isUnanswered = this.#left === count;
          this.#endWith(TOO_LATE);
        }, LATE);
      })
      .finally(() => clearTimeout(timer));
    if (status === NOT_HEARD) throw new JetStreamError(NOT_HEARD, 'no consumer');
    return this.#messages.splice(0, count);
  }

  #hear(message: NatsMessage): void {
    // A message of a task has an address for its acknowledgement; a status has none.
    const isEnd = message.reply === '';
    if (!isEnd) this.#messages.push(message);
    if (!isEnd && --this.#left > 0) return;
    this.#endWith(isEnd ? message.status : 0);
  }

  #endWith(status: number): void {
    this.#end?.(status);
    this.#end = undefined;
  }
}
