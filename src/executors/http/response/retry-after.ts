import { InvalidValue } from '../../../core/options/option.ts';
import type { RetryHint } from '../../contract.ts';
import type { Answer } from '../transport/answer.ts';
import { compileStatuses } from './expect.ts';
import { limitReset, usedUpFor } from './rate-limit.ts';
import { millisecondsUntil, singleHeader } from './server-time.ts';

/** Default of `--retry-status`: statuses that may be temporary. */
export const RETRY_STATUS = '408,425,429,500,502-504';

/** Statuses that mean that the server did not act. */
const NOT_ACTED: ReadonlySet<number> = new Set([429, 503]);

/** Methods that have the effect of one request if they are repeated (RFC 9110, 9.2.2, and the registry of IANA). */
const IDEMPOTENT: ReadonlySet<string> = new Set(
  [
    'GET HEAD OPTIONS TRACE PUT DELETE QUERY SEARCH REPORT PROPFIND PURGE',
    'PROPPATCH MKCOL COPY MOVE UNLOCK LINK UNLINK BIND UNBIND ACL',
  ].flatMap((names) => names.split(' ')),
);

export interface RetryRules {
  /** Returns whether a status may be temporary. */
  readonly isRetried: (status: number) => boolean;
  /** Longest wait that a server may ask for, in milliseconds. */
  readonly most: number;
}

/** Compiles `--retry-status`: a list of statuses, or `none`. @throws {InvalidValue} */
export function compileRetryStatus(text: string): (status: number) => boolean {
  if (text.trim() === 'none') return () => false;
  try {
    return compileStatuses(text);
  } catch {
    throw new InvalidValue('must be statuses separated by commas, such as 429,5xx,520-530, or none');
  }
}

/** Returns whether repeating a request has the effect of sending it once; an unknown method may not. */
export function isIdempotent(method: string): boolean {
  return IDEMPOTENT.has(method);
}

/**
 * Returns whether and when a task is retried after an unexpected status.
 * @param mayRepeat whether the request may be repeated
 * @param hasActed whether a server already acted, before a redirect to this response
 */
export function retryOf(
  answer: Answer,
  mayRepeat: boolean,
  hasActed: boolean,
  { isRetried, most }: RetryRules,
): RetryHint | undefined {
  const { status } = answer;
  if (answer.isStored === true) return undefined; // it would be the same again
  if (status === 429 && isAccountEmpty(answer)) return undefined;
  // GitHub and others answer 403 instead of 429.
  const isLimited = status === 403 && usedUpFor(answer) !== undefined;
  if (!isRetried(status) && !(isLimited && isRetried(429))) return undefined;
  const isRefused = NOT_ACTED.has(status) || isLimited;
  if (!mayRepeat && (hasActed || !isRefused)) return undefined;
  if (!isRefused) return {};
  const after = refusedFor(answer);
  return after === undefined ? { pauseLane: true } : { after: Math.min(after, most), pauseLane: true };
}

/** Error of OpenAI and similar servers for an account without money. Waiting does not help. */
const EMPTY_ACCOUNT = /"(?:code|type)"\s*:\s*"(?:insufficient_quota|billing_hard_limit_reached)"/;

/** Size of the beginning of a body that is searched for an error, in bytes. */
const LOOKED = 4096;

/**
 * Returns whether a refusal names an empty account, and no time to wait: other servers use the same error for a limit
 * per minute.
 */
function isAccountEmpty(answer: Answer): boolean {
  return EMPTY_ACCOUNT.test(answer.body.toString('latin1', 0, LOOKED)) && refusedFor(answer) === undefined;
}

/**
 * Returns the time for which no requests should be sent to a server, in milliseconds, whatever the outcome of the
 * answer: its rate limit is used up, or it refuses for a time.
 */
export function pauseOf(answer: Answer, most: number): number | undefined {
  if (answer.isStored === true) return undefined; // the headers are from the time when the answer was stored
  const after = NOT_ACTED.has(answer.status) ? refusedFor(answer) : usedUpFor(answer);
  return after === undefined ? undefined : Math.min(after, most);
}

function refusedFor(answer: Answer): number | undefined {
  return retryAfter(answer) ?? limitReset(answer);
}

/**
 * Returns the wait that `Retry-After` asks for, in milliseconds; undefined if it is missing, invalid or 0. OpenAI and Azure
 * also send the more exact `retry-after-ms`.
 */
function retryAfter({ headers }: Answer): number | undefined {
  const exact = singleHeader(headers['retry-after-ms']);
  if (exact !== undefined && /^\d+(\.\d+)?$/.test(exact) && Number(exact) > 0)
    return Math.ceil(Number(exact));
  const value = singleHeader(headers['retry-after']);
  if (value === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(value)) return millisecondsUntil(value, headers);
  return Number(value) > 0 ? Math.ceil(Number(value) * 1000) : undefined;
}
