import type { AnswerHeaders } from '../transport/answer.ts';

/* Times in response headers, by the clock of the server, which may differ from ours. */

/** Returns the time of the server, in milliseconds since 1970: its `Date`, else our time. */
export function serverNow(headers: AnswerHeaders): number {
  const date = httpDate(singleHeader(headers.date) ?? '');
  return Number.isNaN(date) ? Date.now() : date;
}

/** Returns the time until an HTTP date, in milliseconds; undefined if it is invalid or past. */
export function millisecondsUntil(value: string, headers: AnswerHeaders): number | undefined {
  const after = httpDate(value) - serverNow(headers);
  return after > 0 ? Math.ceil(after) : undefined;
}

/** Returns the value of a header, the first one if it is repeated. */
export function singleHeader(value: string | string[] | undefined): string | undefined {
  return (typeof value === 'object' ? value[0] : value)?.trim();
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
