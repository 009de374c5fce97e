import type { HeaderList } from '../request/headers.ts';
import type { HttpRequest } from '../request/redirect.ts';
import type { Answer } from '../transport/answer.ts';
import type { HttpFault } from '../transport/http-failure.ts';
import type { Deadline } from '../transport/request-deadline.ts';

/**
 * Function that sends a request with these headers. The first argument is the request of the login, or one that
 * prepares it.
 */
export type SendWith = (hop: HttpRequest, headers: HeaderList) => Promise<Answer | HttpFault>;

/** Credentials, and the way to send them to a server. */
export interface Login {
  /** Text that identifies the owner of the credentials, to separate the entries of owners in the cache. */
  readonly identity: string;
  /**
   * Sends a request with credentials. If the server asks for other credentials, sends the request again, within the
   * same attempt.
   * @throws {TaskpipeError} `IO` if no request can ever be sent
   */
  send(hop: HttpRequest, headers: HeaderList, trip: Deadline, send: SendWith): Promise<Answer | HttpFault>;
  /** Returns the options of curl for the same login, quoted for a shell, with variables in place of secrets. */
  curl(): readonly string[];
}

/** Choice of the login for each request. */
export interface Logins {
  /** Returns the login for a request; undefined to send it without one. */
  of(hop: HttpRequest): Login | undefined;
}
