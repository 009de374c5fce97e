import type { RetryHint } from '../../contract.ts';
import type { Answer } from '../transport/answer.ts';

/** Statuses that may be temporary. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Statuses of these by which a server says that it did not act. */
const NOT_ACTED: ReadonlySet<number> = new Set([429, 503]);

/** Returns whether repeating a request has the effect of sending it once (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return method !== 'POST' && method !== 'PATCH';
}

/**
 * Returns whether and when a task is retried after an unexpected status.
 * @param mayRepeat whether the request may be repeated
 * @param hasActed whether a server already acted, before a redirect to this response
 * @param most longest wait that the server may ask for, in milliseconds
 */
export function retryOf(
  answer: Answer,
  mayRepeat: boolean,
  hasActed: boolean,
  most: number,
): RetryHint | undefined {
  const { status } = answer;
  if (!PASSING.has(status)) return undefined;
  const isRefused = NOT_ACTED.has(status);
  if (!mayRepeat && (hasActed || !isRefused)) return undefined;
  if (!isRefused) return {};
  const after = retryAfter(answer) ?? limitReset(answer);
  return after === undefined ? { pauseLane: true } : { after: Math.min(after, most), pauseLane: true };
}

/** Returns the wait that `Retry-After` asks for, in milliseconds; undefined if it is missing, invalid or 0. */
function retryAfter({ headers }: Answer): number | undefined {
  const value = single(headers['retry-after']);
  if (value === undefined) return undefined;
  const after = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : untilDate(value, single(headers.date));
  return after > 0 ? Math.ceil(after) : undefined;
}

/** Seconds from which a reset is a time since 1970, not a wait: 30 years. */
const EPOCH = 1e9;

/**
 * Returns the time until a rate limit is reset, in milliseconds: of `RateLimit` with `t=30`, or of `RateLimit-Reset`
 * and `X-RateLimit-Reset`, which have a wait or a time since 1970.
 */
function limitReset({ headers }: Answer): number | undefined {
  const [, wait] = /;\s*t=(\d+)/.exec(single(headers.ratelimit) ?? '') ?? [];
  const names = ['ratelimit-reset', 'x-ratelimit-reset', 'x-rate-limit-reset'];
  const text = wait ?? names.map((name) => single(headers[name])).find((value) => value !== undefined);
  if (text === undefined || !/^\d+(\.\d+)?$/.test(text)) return undefined;
  const seconds = Number(text) > EPOCH * 1000 ? Number(text) / 1000 : Number(text);
  const now = httpDate(single(headers.date) ?? '');
  const after = seconds > EPOCH ? seconds * 1000 - (Number.isNaN(now) ? Date.now() : now) : seconds * 1000;
  return after > 0 ? Math.ceil(after) : undefined;
}

/** Returns the time until a date, measured from the date of the server, whose clock may differ from ours. */
function untilDate(value: string, date: string | undefined): number {
  const until = httpDate(value);
  const now = date === undefined ? Number.NaN : httpDate(date);
  return until - (Number.isNaN(now) ? Date.now() : now);
}

/**
 * Parses `Sun, 06 Nov 1994 08:49:37 GMT` and the two older forms (RFC 9110, 5.6.7). `Date.parse` alone accepts
 * `-3`.
 */
function httpDate(text: string): number {
  return /^[A-Z][a-z]{2,8},? /.test(text)
    ? Date.parse(/ GMT$/.test(text) ? text : `${text} GMT`)
    : Number.NaN;
}

function single(value: string | string[] | undefined): string | undefined {
  return (typeof value === 'object' ? value[0] : value)?.trim();
}
