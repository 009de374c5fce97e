import type { Dispatcher } from 'undici';
import type { Dispatch } from '../connection-pool.ts';

type Heard = 'onRequestStart' | 'onResponseStart' | 'onResponseData' | 'onResponseEnd' | 'onResponseError';

/** Request with the handler of its answer. */
export interface Http2Request {
  readonly options: Dispatch;
  readonly handler: Required<Pick<Dispatcher.DispatchHandler, Heard>>;
  /** Number of times that it was sent and not processed. */
  tries: number;
}

/** Owner of a session. */
export interface Http2Owner {
  /** Called once the server has sent its settings. */
  onReady(): void;
  /** Called if the connection ends before that. */
  onUnready(error: Error): void;
  /** Called when another request may be sent. */
  onRoom(): void;
  /** Called when the session takes no more requests. */
  onEnd(): void;
  /** Sends a request again that the server has not processed. */
  again(request: Http2Request): void;
  /** Called if the server asks for HTTP/1.1. */
  fallBack(): void;
}

/** Session as its streams use it. */
export interface StreamSession {
  /** Error of the session, if it has ended. */
  readonly endedBy: Error | undefined;
  /** Returns whether the server has certainly not processed a stream. */
  isUnprocessed(id: number | undefined): boolean;
  /** Notes that a stream has ended. */
  leave(): void;
  /** Checks that the server still answers, after a request that got no answer. New requests wait for that. */
  examine(): void;
}
