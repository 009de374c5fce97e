import { systemCode } from '../../../core/base/errors.ts';
import { limitText } from '../../../core/base/format.ts';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import { DENIED } from './names/addresses.ts';
import { BAD_ANSWER } from './response-head.ts';
import { type ProxyError, REFUSED, UNAUTHORIZED } from './tunnel.ts';

/** Failure of an exchange. */
export interface HttpFault {
  /**
   * `CONNECTION`, `TIMEOUT`, `TLS`, `BODY_TOO_LARGE`, `BODY_FILE`, `DECODE`, `REQUEST`, `REDIRECTS`, `HOST_DOWN`, `DENIED`,
   * `TOKEN`, `NOT_RECORDED`, `ROBOTS`.
   */
  readonly code: string;
  readonly message: string;
  /**
   * Condition for another attempt: `always` if the server cannot have acted; `idempotent` if it may have
   * acted, so that only repeatable requests are retried; `never` if a retry makes no sense.
   */
  readonly again: 'always' | 'idempotent' | 'never';
  /** True to pause the lane for a time: all its tasks need a server that is not available. */
  readonly pausesLane?: boolean;
  /** Error that ends the stage, such as a full disk. */
  readonly fatal?: Error;
  /**
   * Failure of the proxy: it cannot be reached or used (`dead`), does not answer, or refuses the tunnel to this host;
   * `none` if no proxy of a list is left.
   */
  readonly route?: 'dead' | 'silent' | 'refused' | 'none';
}

/** Error that stands for a failure: of a body that cannot be read while it is sent. */
export class FaultError extends Error {
  readonly fault: HttpFault;

  constructor(fault: HttpFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Progress of an exchange when it failed. */
export interface TransferProgress {
  /** Peer for messages: `host:port`. */
  readonly host: string;
  /** True if there was a connection to send the request on. */
  readonly isSent: boolean;
  /** True if the response headers had arrived. */
  readonly isAnswered: boolean;
  /** True if the server closed a new TLS connection that it had chosen no HTTP version for. */
  readonly isUnversioned?: boolean;
  /** Bytes of the body that arrived, and those that were announced. */
  readonly received: number;
  readonly announced: number | undefined;
}

/** Messages for connections that cannot be made, by error code. */
const CONNECTING: Readonly<Record<string, (host: string) => string>> = {
  ECONNREFUSED: (host) => `connection refused by ${host}`,
  ENOTFOUND: (host) => `cannot resolve ${host}: no such host`,
  EAI_AGAIN: (host) => `cannot resolve ${host} for now`,
  EHOSTUNREACH: (host) => `no route to ${host}`,
  ENETUNREACH: (host) => `no route to the network of ${host}`,
  ETIMEDOUT: (host) => `no connection to ${host}: it does not respond`,
  ECONNRESET: (host) => `${host} reset the connection while it was being made`,
  EADDRNOTAVAIL: (host) => `no connection to ${host}: all local ports are in use`,
  EMFILE: (host) => `no connection to ${host}: too many open files (lower --jobs, or raise ulimit -n)`,
};

/** Errors of the parser for heads that `--lenient` repairs. */
const LENIENT = /invalid (header|character in content-length)|missing expected/i;

/** Start of the first frame of an HTTP/2 server: a length, the type 4, flags, and the stream 0. */
const HTTP2_SETTINGS = /^\0\0[\0-\x7f]\x04\0\0\0\0\0/;

const CERTIFICATE =
  /^(?!ERR_SSL_).*CERT|^UNABLE_TO_|CRL_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED/;
/** Usual causes of messages of OpenSSL. */
const HANDSHAKES: Readonly<Record<string, string>> = {
  'wrong version number': 'perhaps it does not speak TLS, and its urls begin with http:',
  'alert certificate required': 'it wants a client certificate (--cert FILE)',
  'alert handshake failure': 'perhaps it wants a client certificate (--cert FILE)',
  'alert unknown ca': 'it does not trust the authority of the client certificate (--cert)',
  'alert bad certificate': 'it does not accept the client certificate (--cert)',
};

const HANDSHAKE = /^(EPROTO|ERR_SSL_|ERR_TLS_)/;

/** Returns the fault for a connection error, with a message for users. */
export function connectionFault(error: Error & { readonly at?: string }, asked: TransferProgress): HttpFault {
  const progress = error.at === undefined ? asked : { ...asked, host: `${error.at} (for ${asked.host})` };
  const { host } = progress;
  const code = codeOf(error);
  if (error instanceof FaultError) return error.fault;
  if ('proxy' in error) return proxyFault(error as ProxyError, progress);
  if (code === DENIED) {
    const message = `${host} is at a private address (--deny-private)`;
    return { code: 'DENIED', message, again: 'never' };
  }
  if (CERTIFICATE.test(code)) {
    const message = `the certificate of ${host} is not trusted: ${error.message} (--cacert FILE trusts its authority, --insecure any)`;
    return { code: 'TLS', message, again: 'never' };
  }
  if (/NO_APPLICATION_PROTOCOL/.test(code)) {
    const message = `${host} does not speak HTTP/1.1 (--http2 uses HTTP/2)`;
    return { code: 'TLS', message, again: 'never' };
  }
  if (HANDSHAKE.test(code)) {
    return { code: 'TLS', message: `no TLS connection to ${host}: ${reasonOf(error)}`, again: 'never' };
  }
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return { code: 'REQUEST', message: `cannot send the request: ${error.message}`, again: 'never' };
  }
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return { code: 'TIMEOUT', message: `no connection to ${host} within the timeout`, again: 'always' };
  }
  const again = progress.isSent ? 'idempotent' : 'always';
  return { code: 'CONNECTION', message: escapeControls(connectionMessage(error, code, progress)), again };
}

/** Returns the fault of a request that a proxy answered with 407. @param proxy name of it in messages */
export function proxyLoginFault(proxy: string, reason: string): HttpFault {
  const detail = reason === '' ? '' : `: ${reason}`;
  const message = `${proxy} does not accept user and password, or needs them${detail}`;
  return { code: 'CONNECTION', message, again: 'always', route: 'dead' };
}

function proxyFault({ proxy, cause }: ProxyError, progress: TransferProgress): HttpFault {
  const code = codeOf(cause);
  if (code === UNAUTHORIZED) return proxyLoginFault(`the proxy ${proxy}`, cause.message);
  if (code === REFUSED) {
    const message = `the proxy ${proxy} refuses a tunnel to ${progress.host}: ${cause.message}`;
    return { code: 'CONNECTION', message, again: 'always', route: 'refused' };
  }
  const route = code === 'ETIMEDOUT' ? 'silent' : 'dead';
  return { ...connectionFault(cause, { ...progress, host: `the proxy ${proxy}` }), route };
}

function connectionMessage(error: Error, code: string, progress: TransferProgress): string {
  const { host, isSent, isAnswered } = progress;
  if (!isSent) return CONNECTING[code]?.(host) ?? `no connection to ${host}: ${error.message || code}`;
  if (code === BAD_ANSWER) return `the answer of ${host} is invalid: ${error.message}`;
  if (code === 'ERR_ASSERTION') return `${host} sends an answer that cannot be read`;
  if (error.name === 'HTTPParserError') {
    if (HTTP2_SETTINGS.test(String((error as { data?: unknown }).data)))
      return `${host} speaks only HTTP/2 (--http2 uses it for https urls)`;
    const advice = LENIENT.test(error.message) ? ' (--lenient may accept it)' : '';
    return `${host} does not answer in HTTP/1.1: ${reasonOf(error)}${advice}`;
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return `the response headers of ${host} exceed 16 KB`;
  if (isAnswered) return bodyMessage(progress);
  const perhaps = progress.isUnversioned
    ? '; perhaps it speaks only HTTP/2 (--http2): it did not choose HTTP/1.1 (ALPN)'
    : '';
  if (code === 'ECONNRESET') return `${host} reset the connection before it answered${perhaps}`;
  if (code === 'EPIPE') return `${host} closed the connection before it had the whole request`;
  if (code === 'UND_ERR_SOCKET') return `${host} closed the connection before it answered${perhaps}`;
  return `the connection to ${host} broke before it answered: ${error.message || code}`;
}

/** Returns a message with the place where the body broke off. */
export function bodyMessage({ host, received, announced }: TransferProgress): string {
  return announced === undefined
    ? `the connection to ${host} broke in the body, after ${received} bytes`
    : `the body from ${host} ended after ${received} of ${announced} bytes`;
}

/** Returns the fault of a total timeout. @param timeout in milliseconds */
export function timeoutFault(
  timeout: number,
  { host, isSent, isAnswered, received }: TransferProgress,
): HttpFault {
  const span = limitText(timeout);
  const message = !isSent
    ? `no connection to ${host} within ${span}`
    : isAnswered
      ? `the body from ${host} did not end within ${span} (${received} bytes arrived)`
      : `no answer from ${host} within ${span}`;
  return { code: 'TIMEOUT', message, again: isSent ? 'idempotent' : 'always' };
}

/** Returns the fault of a connection that is silent. @param idle in milliseconds */
export function silenceFault(
  idle: number,
  { host, isSent, isAnswered, received }: TransferProgress,
): HttpFault {
  const span = limitText(idle);
  const message = !isSent
    ? `no connection to ${host} within ${span} (--idle-timeout)`
    : isAnswered
      ? `the body from ${host} stopped after ${received} bytes: none for ${span} (--idle-timeout)`
      : `${host} is silent: no byte for ${span} (--idle-timeout)`;
  return { code: 'TIMEOUT', message, again: isSent ? 'idempotent' : 'always' };
}

/** Returns the code of an error; the first one of several, for example if all addresses of a host refuse. */
function codeOf(error: Error): string {
  const own = systemCode(error);
  if (own !== undefined) return own;
  const [first] = error instanceof AggregateError ? error.errors : [error.cause];
  return systemCode(first) ?? '';
}

/** Returns the message of OpenSSL or the parser, without positions in their source code. */
function reasonOf(error: Error): string {
  const [, reason] = /:SSL routines:[^:]*:([^:]+):/.exec(error.message) ?? [];
  const said = (reason ?? error.message).trim();
  const advice = Object.entries(HANDSHAKES).find(([words]) => said.includes(words))?.[1];
  return advice === undefined ? said : `${said}; ${advice}`;
}
