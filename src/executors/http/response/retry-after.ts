import type { RetryHint } from '../../contract.ts';
import type { Answer } from '../transport/exchange.ts';

/** Statuses after which another attempt makes sense. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Of these, those that a server answers in place of acting. */
const NOT_ACTED: ReadonlySet<number> = new Set([429, 503]);

/** The longest wait that a server is granted, in milliseconds. */
const MAX_AFTER = 3_600_000;

/** What may be done twice to the effect of once (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return method !== 'POST' && method !== 'PATCH';
}

/**
 * Whether a task is tried again after a status that was not expected, and when.
 * @param mayRepeat whether it may be done twice
 * @param hasActed whether a server has acted already, and this answer came after a redirect
 */
export function retryOf(answer: Answer, mayRepeat: boolean, hasActed: boolean): RetryHint | undefined {
  const { status } = answer;
  if (!PASSING.has(status)) return undefined;
  const isRefused = NOT_ACTED.has(status);
  if (!mayRepeat && (hasActed || !isRefused)) return undefined;
  const after = isRefused ? retryAfter(answer) : undefined;
  return after === undefined ? {} : { after, pauseLane: true };
}

/** How long `Retry-After` asks to wait, in milliseconds; undefined where it says nothing that can be used, or 0. */
function retryAfter({ headers }: Answer): number | undefined {
  const value = single(headers['retry-after']);
  if (value === undefined) return undefined;
  const after = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : untilDate(value, single(headers.date));
  return after > 0 ? Math.min(Math.ceil(after), MAX_AFTER) : undefined;
}

/** The time from the server's own date, whose clock may be another than ours, to a date. */
function untilDate(value: string, date: string | undefined): number {
  const until = httpDate(value);
  const now = date === undefined ? Number.NaN : httpDate(date);
  return until - (Number.isNaN(now) ? Date.now() : now);
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`, or the two older forms (RFC 9110, 5.6.7), as a time. `Date.parse` alone takes `-3`. */
function httpDate(text: string): number {
  return /^[A-Z][a-z]{2,8},? /.test(text)
    ? Date.parse(/ GMT$/.test(text) ? text : `${text} GMT`)
    : Number.NaN;
}

function single(value: string | string[] | undefined): string | undefined {
  return (typeof value === 'object' ? value[0] : value)?.trim();
}
