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

/** Complete body in a file. */
export interface WrittenBody {
  readonly path: string;
  /** Length in bytes. */
  readonly bytes: number;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** Place outside of memory that a body goes to. */
export interface BodySink {
  /** Promise that resolves when the body is complete, or to the fault that ended it. Never rejects. */
  readonly finished: Promise<HttpFault | undefined>;
  /** Returns false if no more bytes should be written before `onRoom` is called. */
  write(chunk: Buffer, onRoom: () => void): boolean;
  /** Notes the end of the body. */
  end(): void;
  /** Makes the complete file durable. @throws {TaskpipeError} `IO` */
  seal(): Promise<WrittenBody>;
  /** Ends it early. Keeps the part that another attempt can continue. */
  suspend(): Promise<void>;
  /** Ends it, and removes its file. */
  discard(): Promise<void>;
}

/** Files for the bodies of one request. */
export interface BodyStore {
  /** Longest body of a response as received, in bytes. */
  readonly maxBody: number;
  /** Returns whether a response does not match the request, so that its body is not needed. */
  refuses(status: number, headers: AnswerHeaders): boolean;
  /** Returns the length up to which the body of a response stays in memory, in bytes. */
  inMemory(status: number, headers: AnswerHeaders): number;
  /** Opens a file for the body of a response. @param first bytes so far @param onError called if writing fails */
  open(
    response: { readonly status: number; readonly headers: AnswerHeaders; readonly host: string },
    first: Buffer,
    onError: (fault: HttpFault) => void,
  ): BodySink;
}

/** Returns whether an exchange failed. */
export function isFault<T extends object>(ended: T | HttpFault): ended is HttpFault {
  return 'again' in ended;
}
