/** Conditions of a connection. */
export interface S3Settings {
  /** Maximum time that the server may be unavailable, in milliseconds; then it is an error. Default one minute. */
  readonly patience?: number | undefined;
  /** Writes a line to stderr. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Aborted to wait only shortly for an unavailable server. */
  readonly stopping?: AbortSignal | undefined;
  /** Aborted to end requests and waits at once. */
  readonly aborting?: AbortSignal | undefined;
}

/** Request about a bucket, or about an object in it. */
export interface S3Request {
  readonly method: 'GET' | 'PUT';
  /** Key of the object; empty for the bucket. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** Answer of a server with a status of success. */
export interface S3Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Buffer> & { text(): Promise<string> };
}

/** Waits between the attempts of one request. */
export interface S3Attempts {
  /** Forgets earlier failures, as the server works. */
  succeed(): void;
  /** Waits until another attempt may be made. @throws {TaskpipeError} if none may: the fault of the failed one */
  pause(error: unknown): Promise<void>;
}

/** Connections to a bucket. */
export interface S3Bucket {
  readonly name: string;
  /** Sends a request once. @throws if the connection fails, or `S3Error` if the server refuses the request */
  sendOnce(request: S3Request): Promise<S3Answer>;
  /** Returns the waits for a request. @param key object that the messages name */
  attempts(key: string): S3Attempts;
  /** Sends a request, again while patience lasts, and returns the text of the answer. @throws {TaskpipeError} */
  ask(request: S3Request): Promise<string>;
  close(): Promise<void>;
}
