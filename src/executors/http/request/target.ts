import { quoted, withoutUser } from '../../../core/base/terminal-text.ts';
import type { Failure } from '../../../core/record/task.ts';

/** A url, taken apart for a request. */
export interface Target {
  /** For people and results: without user, password and fragment. */
  readonly href: string;
  /** As in `https://h:8443`. */
  readonly origin: string;
  /** As in `h:8443`, the port always there: for messages. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  /** What user and password in the url make: the value of an `Authorization` header. */
  readonly authorization: string | undefined;
}

/** A url that needs no parser: nothing in it is encoded or left out. Dots at the start of a name may be steps. */
const PLAIN = /^(https?:\/\/[a-z0-9.:-]+)(\/[\w~!$&()*+,;=:@./-]*(?:\?[\w~!$&()*+,;=:@./?%-]*)?)$/;

/** What the urls of a list share, by what stands before the path. */
const origins = new Map<string, Target>();

/**
 * Takes a url apart.
 * @param query is added to the query that the url has
 * @returns a failure `URL` where it is none, or not one of http or https
 */
export function parseTarget(text: string, query = ''): Target | Failure {
  const [, start = '', path = ''] = query === '' ? (PLAIN.exec(text) ?? []) : [];
  if (start === '' || path.includes('/.')) return parseAny(text, query);
  const root = rootOf(start);
  if ('code' in root) return parseAny(text, query);
  const { origin, host } = root;
  return { href: origin === start ? text : origin + path, origin, host, path, authorization: undefined };
}

function parseAny(text: string, query: string): Target | Failure {
  if (!text.isWellFormed()) return badUrl(text, 'must be without halves of surrogate pairs');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return badUrl(text, 'is no url such as https://host/path');
  }
  const { protocol } = url;
  if (protocol !== 'http:' && protocol !== 'https:')
    return badUrl(text, 'must begin with http:// or https://');
  if (query !== '') url.search = url.search === '' ? query : `${url.search}&${query}`;
  const { origin } = url;
  const path = url.pathname + url.search;
  return {
    href: origin + path,
    origin,
    host: url.port === '' ? `${url.hostname}:${protocol === 'http:' ? 80 : 443}` : url.host,
    path,
    authorization: url.username === '' && url.password === '' ? undefined : basic(url.username, url.password),
  };
}

/** The target of what stands before the path of a url; it has no user. */
function rootOf(start: string): Target | Failure {
  const known = origins.get(start);
  if (known !== undefined) return known;
  const root = parseAny(start, '');
  if (!('code' in root) && origins.size < 10_000) origins.set(start, root);
  return root;
}

/** The origin of a url, '' where it has none. */
export function originOf(text: string): string {
  const [start] = /^https?:\/\/[a-z0-9.:-]+(?=[/?#]|$)/.exec(text) ?? [];
  const root = start === undefined ? parseAny(text, '') : rootOf(start);
  return 'code' in root ? '' : root.origin;
}

/** The `Basic` credentials of a user and password as a url has them (RFC 7617, in UTF-8). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString('base64')}`;
}

/** A url's text for a message: without user and password, and not endless. */
export function shownUrl(text: string): string {
  const bare = withoutUser(text);
  return quoted(bare.length > 200 ? `${bare.slice(0, 200)}…` : bare);
}

function badUrl(text: string, rule: string): Failure {
  return { code: 'URL', message: `the url ${rule}; got ${shownUrl(text)}` };
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
