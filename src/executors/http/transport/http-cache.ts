import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import CachePolicy from 'http-cache-semantics';
import { ioError, systemCode } from '../../../core/base/errors.ts';
import { makeFolder, PRIVATE, replaceFile } from '../private-files.ts';
import { type HeaderList, headerValue, mergeHeaders, withoutHeaders } from '../request/headers.ts';
import { type HttpRequest, isRedirect } from '../request/redirect.ts';
import { type Answer, type AnswerHeaders, isFault } from './answer.ts';
import type { HttpFault } from './http-failure.ts';

/** Private cache (RFC 9111) on disk, which several runs may share at once. */
export interface Cache {
  /** True if it keeps answers to requests with a body. Default false. */
  readonly takesBodies?: boolean;
  /**
   * Returns the response to a request: a stored one if it is fresh, else that of `send`. A stale one is
   * revalidated.
   * @param send sends the request with these headers; the body of its response is decoded
   */
  through(request: CachedRequest, send: Send): Promise<Answer | HttpFault>;
}

export interface CachedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  /** Owner of credentials that are not among the headers; `''` for none. */
  readonly whose: string;
  /** Request as the user made it, without cookies that servers set. */
  readonly hop: HttpRequest;
}

type Send = (headers: HeaderList) => Promise<Answer | HttpFault>;

/** Stored response: this object on one line of JSON, followed by the body. */
interface Head {
  readonly policy: CachePolicy.CachePolicyObject;
  readonly status: number;
  readonly reason: string;
  readonly headers: AnswerHeaders;
  /** SHA-256 of the body, in hex. */
  readonly sha256: string;
}

interface Entry {
  readonly policy: CachePolicy;
  readonly answer: Answer;
}

/**
 * Opens `--cache DIR`.
 * @param maxBody longer stored bodies count as absent
 * @throws {TaskpipeError} `IO`
 */
export async function openCache(dir: string, maxBody: number): Promise<Cache> {
  await makeFolder(dir, 0o700);
  return {
    async through(request, send) {
      const { method, headers } = request;
      if (!isCacheable(method, headers)) return send(headers);
      const asked = forPolicy(request);
      const file = join(dir, nameOf(request));
      const entry = await readEntry(file, maxBody);
      const stored = entry && unlessThrown(() => looked(entry, asked));
      if (stored?.fresh !== undefined) return stored.fresh;
      const conditions = stored?.conditions ?? [];
      const answer = await send(mergeHeaders(headers, conditions));
      if (isFault(answer)) return answer;
      if (entry === undefined || answer.status !== 304 || conditions.length === 0) {
        const response = forResponse(answer);
        const policy = unlessThrown(() => new CachePolicy(asked, response, { shared: false }));
        return keep(file, policy, answer);
      }
      const held = unlessThrown(() => heldBy(entry, asked, answer));
      // A 304 that does not match the stored response: send the request again without conditions.
      return held === undefined ? send(headers) : keep(file, held.policy, held.answer);
    },
  };
}

/**
 * Request headers that do not identify the client. If a response varies by one of them, the policy checks that. Any
 * other header may hold credentials: a server may use any name, and few servers announce it with `Vary`.
 */
const ANONYMOUS: ReadonlySet<string> = new Set([
  ...[
    'accept',
    'accept-charset',
    'accept-encoding',
    'accept-language',
    'cache-control',
    'dnt',
    'from',
    'host',
  ],
  ...['idempotency-key', 'origin', 'pragma', 'priority', 'referer', 'te', 'user-agent'],
]);

/** Returns whether a request header does not identify the client. @param name in lower case */
export function isAnonymous(name: string): boolean {
  return ANONYMOUS.has(name);
}

/** Returns the file of an entry. Requests with other credentials, in any header or cookie, have other entries. */
function nameOf({ method, url, headers, whose: owner }: CachedRequest): string {
  const whose = withoutHeaders(headers, (name) => ANONYMOUS.has(name));
  const pairs: string[] = owner === '' ? [] : [owner];
  for (let i = 0; i < whose.length; i += 2) pairs.push(`${whose[i]?.toLowerCase()}: ${whose[i + 1]}`);
  return hash('sha256', [`${method} ${url}`, ...pairs.sort()].join('\n'));
}

/** Returns whether the cache may answer a request: one for a whole page, without conditions of the user. */
function isCacheable(method: string, headers: HeaderList): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const own = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range'];
  return own.every((name) => headerValue(headers, name) === undefined);
}

/**
 * Returns the answer of the policy; undefined if the policy throws, as it does for unexpected headers and entries.
 * Such responses are not cached.
 */
function unlessThrown<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** Returns the stored response if it is fresh, else the conditions for a revalidation. */
function looked(
  { policy, answer }: Entry,
  asked: CachePolicy.HttpRequest,
): { readonly fresh?: Answer; readonly conditions: HeaderList } {
  if (!policy.satisfiesWithoutRevalidation(asked)) return { conditions: conditionsOf(policy, asked) };
  return { fresh: { ...answer, headers: policy.responseHeaders(), isStored: true }, conditions: [] };
}

/** Returns an entry after a 304; undefined if the 304 is about another response. */
function heldBy(entry: Entry, asked: CachePolicy.HttpRequest, answer: Answer): Entry | undefined {
  const { policy, modified } = entry.policy.revalidatedPolicy(asked, forResponse(answer));
  if (modified) return undefined;
  return { policy, answer: { ...entry.answer, headers: policy.responseHeaders() } };
}

async function keep(file: string, policy: CachePolicy | undefined, answer: Answer): Promise<Answer> {
  if (policy === undefined || !policy.storable() || isRedirect(answer.status, answer.headers)) return answer;
  const { status, reason, body } = answer;
  const { 'set-cookie': _, ...headers } = answer.headers;
  const head: Head = { policy: policy.toObject(), status, reason, headers, sha256: hash('sha256', body) };
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  await replaceFile(file, Buffer.concat([line, body]), { mode: PRIVATE });
  return answer;
}

/** Reads an entry; undefined if there is none, or an incomplete one. @throws {TaskpipeError} `IO` */
async function readEntry(file: string, maxBody: number): Promise<Entry | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw ioError('cannot read --cache', file, error);
  }
  try {
    const end = bytes.indexOf(10);
    const { policy, status, reason, headers, sha256 } = JSON.parse(bytes.toString('utf8', 0, end)) as Head;
    const body = bytes.subarray(end + 1);
    if (body.length > maxBody || hash('sha256', body) !== sha256) return undefined;
    return { policy: CachePolicy.fromObject(policy), answer: { status, reason, headers, body } };
  } catch {
    return undefined;
  }
}

function conditionsOf(policy: CachePolicy, asked: CachePolicy.HttpRequest): HeaderList {
  const { 'if-none-match': etag, 'if-modified-since': since } = policy.revalidationHeaders(asked);
  return [
    ...(typeof etag === 'string' ? ['if-none-match', etag] : []),
    ...(typeof since === 'string' ? ['if-modified-since', since] : []),
  ];
}

/**
 * Request headers that the policy reads. The policy only compares the other headers, and stores those that a response
 * varies by.
 */
const READ: ReadonlySet<string> = new Set(['cache-control', 'pragma', 'host']);

/**
 * Returns the request for the policy, which goes into a file: values that may be secret are replaced by hashes.
 */
function forPolicy({ method, url, headers }: CachedRequest): CachePolicy.HttpRequest {
  const fields: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    fields[name] = READ.has(name) ? value : hash('sha256', value);
  }
  return { method, url, headers: { host: new URL(url).host, ...fields } };
}

/**
 * Returns the response for the policy, which takes one line per header. Cookies cannot be joined, and must not
 * be set again from the cache, so they are left out.
 */
function forResponse({ status, headers }: Answer): CachePolicy.HttpResponse {
  const fields = Object.entries(headers).filter(([name]) => name !== 'set-cookie');
  return {
    status,
    headers: Object.fromEntries(fields.map(([name, value]) => [name, [value].flat().join(', ')])),
  };
}
