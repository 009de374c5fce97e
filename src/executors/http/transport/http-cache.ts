import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import CachePolicy from 'http-cache-semantics';
import { ioError, systemCode } from '../../../core/base/errors.ts';
import { makeFolder, PRIVATE, replaceFile } from '../private-files.ts';
import { type HeaderList, headerValue, isSecret, mergeHeaders, withoutHeaders } from '../request/headers.ts';
import { isRedirect } from '../request/redirect.ts';
import { type Answer, type AnswerHeaders, isFault } from './exchange.ts';
import type { HttpFault } from './http-failure.ts';

/** A private cache by RFC 9111, on disk, which several runs may share at once. */
export interface Cache {
  /**
   * The answer to a request: a stored one that is fresh, or what `send` gives; a stored one that is stale is asked
   * about first.
   * @param send sends the request with these headers; the body of its answer is decoded
   */
  through(request: CachedRequest, send: Send): Promise<Answer | HttpFault>;
}

export interface CachedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
}

type Send = (headers: HeaderList) => Promise<Answer | HttpFault>;

/** What is kept of an answer: one line of JSON, and after it the body. */
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
 * @param maxBody a stored body that is longer is as if absent
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
      // Not modified, but not what we have either: ask again without conditions.
      return held === undefined ? send(headers) : keep(file, held.policy, held.answer);
    },
  };
}

/** The file of an entry. Who asks with other credentials is someone else, and has one of their own. */
function nameOf({ method, url, headers }: CachedRequest): string {
  const isWhose = (name: string): boolean => isSecret(name) && name !== 'cookie';
  const whose = withoutHeaders(headers, (name) => !isWhose(name));
  return hash('sha256', [`${method} ${url}`, ...whose].join('\n'));
}

/** Whether the cache may stand between: the user asks for all of a page, and sets no conditions. */
function isCacheable(method: string, headers: HeaderList): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const own = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range', 'range'];
  return own.every((name) => headerValue(headers, name) === undefined);
}

/**
 * What the policy says; undefined where it throws, which it does at headers and entries that are not as it expects
 * them. Whoever sends such ones is not cached.
 */
function unlessThrown<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

/** What an entry is good for: its answer where that is fresh, else the conditions to ask with. */
function looked(
  { policy, answer }: Entry,
  asked: CachePolicy.HttpRequest,
): { readonly fresh?: Answer; readonly conditions: HeaderList } {
  if (!policy.satisfiesWithoutRevalidation(asked)) return { conditions: conditionsOf(policy, asked) };
  return { fresh: { ...answer, headers: policy.responseHeaders() }, conditions: [] };
}

/** An entry after a 304, where that is about it. */
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

/** An entry; undefined where there is none, or one that is not whole. @throws {TaskpipeError} `IO` */
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

/** Headers of a request that the policy reads. The others it compares, and keeps where an answer varies by them. */
const READ: ReadonlySet<string> = new Set(['cache-control', 'pragma', 'host']);

/** What the policy is told: no value that may be secret, and so goes into a file, stands there as it is. */
function forPolicy({ method, url, headers }: CachedRequest): CachePolicy.HttpRequest {
  const fields: Record<string, string> = {};
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    fields[name] = READ.has(name) ? value : hash('sha256', value);
  }
  return { method, url, headers: { host: new URL(url).host, ...fields } };
}

/** The policy takes one line a header. Cookies can't be joined, and are set once; what is kept does without them. */
function forResponse({ status, headers }: Answer): CachePolicy.HttpResponse {
  const fields = Object.entries(headers).filter(([name]) => name !== 'set-cookie');
  return {
    status,
    headers: Object.fromEntries(fields.map(([name, value]) => [name, [value].flat().join(', ')])),
  };
}
