import type { TaskpipeError } from '../base/errors.ts';
import type { NatsAddress } from './nats-address.ts';

export interface NatsSettings {
  /** Maximum time that the server may be unreachable, in milliseconds; then it is an error. Default one minute. */
  readonly patience?: number | undefined;
  /** Writes a line to stderr. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Aborted to wait only shortly for an unreachable server. */
  readonly stopping?: AbortSignal | undefined;
  /** Aborted to stop waiting for an unreachable server. */
  readonly aborting?: AbortSignal | undefined;
}

/** Message from the server. */
export interface NatsMessage {
  readonly subject: string;
  /** Subject for an answer; empty if there is none. */
  readonly reply: string;
  readonly data: Uint8Array;
  /** Status of a message without data, such as 404 or 503; 0 if it has none. */
  readonly status: number;
  /** Returns the value of a header; an empty text if the message lacks it. */
  header(name: string): string;
}

/** Headers of a message to send. */
export type NatsHeaders = Readonly<Record<string, string | number>>;

/** Subject and payload of a message that is answered. */
export type NatsQuestion = readonly [subject: string, payload: string];

/** One connection. All of its promises are rejected when it is lost, or if the server does not answer. */
export interface NatsSession {
  /** Version of the server, for example `2.9.10`. */
  readonly version: string;
  /** Id of the server, another one after each of its starts. */
  readonly serverId: string;
  /** Time since it was connected, in milliseconds. */
  readonly age: number;
  /** Maximum size of a message, in bytes. */
  readonly maxPayload: number;
  /** Sends a message, and resolves with the answer. Thousands may be in flight. */
  ask(subject: string, payload?: string | Uint8Array, headers?: NatsHeaders): Promise<NatsMessage>;
  /**
   * Sends messages, and resolves with the answers in the same order once all are there. This takes less time than a
   * promise for each of thousands of messages.
   */
  askAll(messages: readonly NatsQuestion[], headers?: NatsHeaders): Promise<readonly NatsMessage[]>;
  /** Sends a message, and resolves with the answer; with nothing if the server has not answered in time. */
  askWithin(
    milliseconds: number,
    subject: string,
    payload?: string | Uint8Array,
  ): Promise<NatsMessage | undefined>;
  /** Sends a message that needs no answer, or one that is answered to a subject that is listened to. */
  tell(subject: string, payload?: string | Uint8Array, reply?: string): void;
  /** Starts `work`, and resolves with the value that it calls `done` with. @throws if the connection is lost before */
  expect<T>(work: (done: (value: T) => void) => void): Promise<T>;
  /** Calls `hear` with each message of a subject, as long as the connection lasts. */
  listen(subject: string, hear: (message: NatsMessage) => void): void;
  /** Resolves once the server has processed what was sent. */
  flush(): Promise<void>;
}

/** Connection that is made again as long as patience lasts. */
export interface NatsLink {
  readonly address: NatsAddress;
  /** Number of reconnections. */
  readonly returns: number;
  /**
   * Runs `work`, and runs it again if the connection was lost meanwhile, or if the server did not answer: it may then run
   * twice.
   * @throws {TaskpipeError} `IO`, with the reason
   */
  run<T>(work: (session: NatsSession) => Promise<T>): Promise<T>;
  /** Calls `greet` with the present connection and with each later one, before they are used. */
  onConnection(greet: (session: NatsSession) => void): void;
  /** Returns the error of a command or of the connection, with its reason in words. */
  fault(error: unknown): TaskpipeError;
  close(): void;
}
