import { asSent } from '../response/body.ts';
import type { Answer, AnswerHeaders } from '../transport/answer.ts';
import type { HttpFault } from '../transport/http-failure.ts';
import { type HeaderList, withoutHeaders } from './headers.ts';
import type { RequestBody } from './request-body.ts';
import { parseTarget, shownUrl, type Target } from './target.ts';

/** One request in the chain of redirects of a task. */
export interface HttpRequest {
  readonly method: string;
  readonly target: Target;
  /** User headers. */
  readonly headers: HeaderList;
  readonly content: RequestBody | undefined;
  /** True after a redirect to another origin, whose server must not get credentials. */
  readonly isForeign?: boolean;
  /** True if it has no credentials of any kind: the request for robots.txt. */
  readonly isPublic?: boolean;
}

/** Returns whether a response is a redirect. */
export function isRedirect(status: number, headers: AnswerHeaders): boolean {
  if (status < 301 || status > 308 || headers.location === undefined) return false;
  return status <= 303 || status >= 307;
}

/** User headers that are also sent to another origin: they describe the wanted content, and hold no secret. */
const CROSSING: ReadonlySet<string> = new Set([
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'cache-control', 'connection'],
  ...['content-encoding', 'content-language', 'content-type', 'range', 'user-agent'],
]);

/** Returns whether another origin gets a user header. @param keeps names of more such headers; all are in lower case */
export function isCrossing(name: string, keeps: ReadonlySet<string>): boolean {
  return CROSSING.has(name) || keeps.has(name);
}

/**
 * Returns the next request of a redirect (RFC 9110, 15.4). At a change of origin all other user headers are dropped,
 * since the other server must not get them. A body does not go from https to http.
 * @param keeps names of more headers that cross origins, in lower case
 * @param isLenient whether the first of several locations counts
 */
export function nextHop(
  hop: HttpRequest,
  { status, headers }: Answer,
  keeps: ReadonlySet<string>,
  isLenient = false,
): HttpRequest | HttpFault {
  const locations = new Set([headers.location ?? []].flat());
  if (locations.size > 1 && !isLenient) {
    const message = `${hop.target.host} redirects to ${locations.size} places at once: ${[...locations].map(asSent).map(shownUrl).join(', ')} (--lenient takes the first)`;
    return { code: 'REDIRECTS', message, again: 'never' };
  }
  const location = asSent([...locations][0] as string);
  const target = parseTarget(resolved(location, hop.target.href));
  if ('code' in target) {
    const message = `${hop.target.host} redirects to ${shownUrl(location)}, which is not an http or https url`;
    return { code: 'REDIRECTS', message, again: 'never' };
  }
  const isBare = hop.target.origin.startsWith('https:') && target.origin.startsWith('http:');
  const toGet = status === 303 ? hop.method !== 'HEAD' : status < 303 && hop.method === 'POST';
  if (isBare && !toGet && hop.content !== undefined) {
    const message = `${hop.target.host} redirects a request body from https to http (${target.host})`;
    return { code: 'REDIRECTS', message, again: 'never' };
  }
  const isSame = target.origin === hop.target.origin;
  const kept = isSame ? hop.headers : withoutHeaders(hop.headers, (name) => !isCrossing(name, keeps));
  return {
    method: toGet ? 'GET' : hop.method,
    // The user of the url is kept with its header, so that Digest does not become Basic.
    target: isSame ? { ...target, authorization: hop.target.authorization } : target,
    headers: toGet ? withoutHeaders(kept, (name) => name.startsWith('content-')) : kept,
    content: toGet ? undefined : hop.content,
    isForeign: hop.isForeign === true || !isSame,
  };
}

function resolved(location: string, base: string): string {
  try {
    return new URL(location, base).href;
  } catch {
    return location;
  }
}
