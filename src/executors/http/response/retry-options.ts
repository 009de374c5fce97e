import { duration, flag, value } from '../../../core/options/declare.ts';
import { compileRetryStatus, RETRY_STATUS } from './retry-after.ts';

/** Options of `--http` for retries, redirects and accepted answers. */
export const retryOptions = {
  /** Statuses to retry, such as `429,5xx,520-530`, or `none`. Default `408,425,429,500,502-504`. */
  retryStatus: value('statuses to retry, such as 429,5xx,520-530, or none', 'LIST', toRetryStatus, {
    defaultText: RETRY_STATUS,
    details:
      'The list replaces the default. A status is retried only if it is not expected, and only for requests that may be repeated: a POST or PATCH at 429 and 503 alone, unless --idempotency-header is given. A 403 whose rate limit is used up counts as 429. Failures of the connection and timeouts are retried whatever the list; --retries 0 retries nothing.',
  }),
  /** True to retry no status; failures of the connection are retried. */
  noRetryStatus: flag('retry no status, only failures of the connection; same as --retry-status none'),
  /** Longest time without a byte, in milliseconds. Default: no limit but the timeout. */
  idleTimeout: duration('longest time without a byte, sent or received', {
    min: 1,
    details:
      'Beside --timeout, which is the total time: large files get --timeout 1h --idle-timeout 30s. The time until a connection is made, and until the answer begins, counts too. It fails with TIMEOUT and is retried as a timeout is.',
  }),
  /** True to keep the redirects in the result, as `redirects`. */
  redirects: flag('keep the chain of redirects in the result, as "redirects"', {
    details:
      'An array with status and url of each answer that led on, in order; empty if there was no redirect. One of --follow-meta has "meta": true.',
  }),
  /** True to follow the `<meta http-equiv="refresh">` of an HTML page as a redirect. */
  followMeta: flag('also follow the meta refresh of HTML pages, as a redirect', {
    details:
      'They count for --follow, and turn the request into a GET. A page that reloads itself, or that waits more than 30 s, is not followed. Comments, scripts and noscript are ignored.',
  }),
  /** True to accept answers with an uncertain end of the body. */
  lenient: flag('accept answers that leave the end of their body or their place uncertain', {
    details:
      'They are refused otherwise, because such an answer may be mistaken for another one (request smuggling). Of several lengths or redirect places the first counts; bytes after the body, invalid header lines, and "chunked" before other codings are accepted. Use it for single servers that you trust.',
  }),
};

function toRetryStatus(typed: string): string {
  compileRetryStatus(typed);
  return typed;
}
