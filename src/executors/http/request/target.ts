import { quoted, withoutUser } from '../../../core/base/terminal-text.ts';
import type { Failure } from '../../../core/record/task.ts';

/** Parsed url of a request. */
export interface Target {
  /** For messages and results: without user, password and fragment. */
  readonly href: string;
  /** Such as `https://h:8443`. */
  readonly origin: string;
  /** For messages: host with its port, such as `h:8443` or `h:80`. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  /** Value of an `Authorization` header from user and password in the url. */
  readonly authorization: string | undefined;
}

/**
 * Urls that need no parser, since a parser would change nothing in them. A path segment that begins with a dot may be
 * `.` or `..`.
 */
const PLAIN = /^(https?:\/\/[a-z0-9.:-]+)(\/[\w~!$&()*+,;=:@./-]*(?:\?[\w~!$&()*+,;=:@./?%-]*)?)$/;

/** Targets by the part before the path, which is the same in many urls of a list. */
const origins = new Map<string, Target>();

/**
 * Parses a url.
 * @param query added to the query of the url
 * @returns a failure `URL` if it is invalid, or not http or https
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
  if (!text.isWellFormed()) return badUrl(text, 'it must not contain half a surrogate pair');
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return badUrl(text, withoutScheme(text));
  }
  const { protocol } = url;
  if (protocol !== 'http:' && protocol !== 'https:')
    return badUrl(
      text,
      /^[a-z0-9.-]+\.[a-z0-9-]+:\d+(\/|$)/i.test(text)
        ? withoutScheme(text)
        : 'it must begin with http:// or https://',
    );
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

/** Returns the fault of text that is not a url. */
function withoutScheme(text: string): string {
  const isHost = /^(\/\/)?[\p{L}\d-]+(\.[\p{L}\d-]+)+(:\d+)?([/?#].*)?$/su.test(text.trim());
  return isHost ? 'it has no scheme; write https:// before it' : 'expected something like https://host/path';
}

/** Returns the target of the part before the path; it has no user. */
function rootOf(start: string): Target | Failure {
  const known = origins.get(start);
  if (known !== undefined) return known;
  const root = parseAny(start, '');
  if (!('code' in root) && origins.size < 10_000) origins.set(start, root);
  return root;
}

/** Returns the origin of a url, `''` if it has none. */
export function originOf(text: string): string {
  const [start] = /^https?:\/\/[a-z0-9.:-]+(?=[/?#]|$)/.exec(text) ?? [];
  const root = start === undefined ? parseAny(text, '') : rootOf(start);
  return 'code' in root ? '' : root.origin;
}

/** Returns `Basic` credentials from user and password in a url (RFC 7617, in UTF-8). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${unescaped(username)}:${unescaped(password)}`).toString('base64')}`;
}

/** Returns a url for a message: without user and password, and shortened. */
export function shownUrl(text: string): string {
  const bare = withoutUser(text);
  return quoted(bare.length > 200 ? `${bare.slice(0, 200)}…` : bare);
}

function badUrl(text: string, rule: string): Failure {
  return { code: 'URL', message: `invalid url ${shownUrl(text)}: ${rule}` };
}

/** Decodes percent-encoding; invalid encoding stays unchanged. */
export function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
