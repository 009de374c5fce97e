import type { HttpFault } from './http-failure.ts';

/** Response headers: names in lower case, repeated ones as an array. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Response of a server. */
export interface Answer {
  readonly status: number;
  /** Reason phrase after the status, such as `Not Found`. */
  readonly reason: string;
  readonly headers: AnswerHeaders;
  /** Bytes as received, or decompressed; empty if they are in a file. */
  readonly body: Buffer;
  /** True if it comes from the cache, and not from the server. */
  readonly isStored?: boolean;
  /** File that has the body. */
  readonly file?: BodySink | undefined;
}

/** Place outside of memory that a body goes to. */
export interface BodySink {
  /** Resolves when the body is complete, or to the fault that ended it. Never rejects. */
  readonly finished: Promise<HttpFault | undefined>;
  /** Returns false if no more should come before `onRoom` is called. */
  write(chunk: Buffer, onRoom: () => void): boolean;
  /** Notes that no more comes. */
  end(): void;
  /** Gives the complete file its name with an extension. Returns the path. @throws {TaskpipeError} `IO` */
  keep(ending: string): Promise<string>;
  discard(): Promise<void>;
}

/** Opens a place for a body. @param first bytes so far @param onError called if writing fails */
export type OpenSink = (
  headers: AnswerHeaders,
  first: Buffer,
  limit: { readonly host: string; readonly maxBody: number },
  onError: (fault: HttpFault) => void,
) => BodySink;

/** Returns whether an exchange failed. */
export function isFault<T extends object>(ended: T | HttpFault): ended is HttpFault {
  return 'again' in ended;
}
