import type { Request } from './build-request.ts';
import type { RequestBody } from './request-body.ts';

/** Bodies of the standard `fetch`. */
type Body =
  | string
  | ArrayBuffer
  | ArrayBufferView
  | URLSearchParams
  | FormData
  | Blob
  | ReadableStream
  | null;

/** Options of a request by `Fetch`: those of the standard `fetch`, and the attributes of a task of `--http`. */
export interface FetchOptions {
  /** Default `get`; `json` is a POST of `data` or `json` as JSON. */
  readonly method?: string | undefined;
  readonly headers?:
    | Headers
    | Readonly<Record<string, string>>
    | readonly (readonly [string, string])[]
    | undefined;
  /** Body of the request, as for the standard `fetch`. */
  readonly body?: Body | undefined;
  /** Ends the request; it then throws the reason of the signal. */
  readonly signal?: AbortSignal | null | undefined;
  /** `manual` returns a redirect as the response; `error` throws. Default `follow`, up to the limit of `--follow`. */
  readonly redirect?: 'follow' | 'manual' | 'error' | undefined;
  /** Query that is added to the url. */
  readonly params?: Readonly<Record<string, unknown>> | string | undefined;
  /** Body as in a record: an object or `a=1&b=2` is sent as a form, other text as it is. */
  readonly data?: unknown;
  /** Body that is sent as JSON. */
  readonly json?: unknown;
  /** First to last byte, in seconds. Default 30. */
  readonly timeout?: number | undefined;
  /** Accepted because the standard requires it for streams; it has no effect. */
  readonly duplex?: 'half' | undefined;
}

/** Options of a request, read. */
export interface FetchInput {
  /** Attributes of a task. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Body that a record cannot hold. */
  readonly content: RequestBody | undefined;
  /** Signal of the caller. */
  readonly given: AbortSignal | undefined;
  readonly redirect: 'follow' | 'manual' | 'error';
}

const KNOWN: ReadonlySet<string> = new Set([
  ...['method', 'headers', 'body', 'signal', 'redirect', 'params', 'data', 'json', 'timeout', 'duplex'],
]);

/** Reads the options of a request. @throws {TypeError} if one is unknown or cannot be sent */
export async function fetchInput(options: FetchOptions = {}): Promise<FetchInput> {
  const strange = Object.keys(options).find((name) => !KNOWN.has(name));
  if (strange !== undefined)
    throw new TypeError(`ctx.fetch does not know the option "${strange}"; it knows ${[...KNOWN].join(', ')}`);
  const { signal, redirect = 'follow', body, headers, duplex: _, ...attributes } = options;
  if (!['follow', 'manual', 'error'].includes(redirect))
    throw new TypeError(`redirect must be follow, manual or error; got "${redirect}"`);
  const { data } = options;
  const isRaw = body === undefined && isBody(data);
  const content = await contentOf(isRaw ? data : body);
  if (content !== undefined && /^(get|head)?$/i.test(options.method ?? ''))
    throw new TypeError(
      `a ${(options.method ?? 'get').toUpperCase()} request has no body; give a method such as POST`,
    );
  if (content !== undefined && !isRaw && (data ?? options.json) !== undefined)
    throw new TypeError('a request has one body: give body, data or json');
  return {
    attributes: { ...attributes, ...(isRaw ? { data: undefined } : {}), headers: headersOf(headers) },
    content,
    given: signal ?? undefined,
    redirect,
  };
}

/** Returns a request with its own body. */
export function withContent(request: Request, content: RequestBody | undefined): Request {
  return content === undefined ? request : { ...request, content };
}

/** Returns whether a value is a body that JSON would lose. */
function isBody(value: unknown): value is Body {
  return (
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value) ||
    value instanceof URLSearchParams ||
    value instanceof FormData ||
    value instanceof Blob ||
    value instanceof ReadableStream
  );
}

/** Returns a body with the content type that the standard gives it. */
async function contentOf(body: Body | undefined): Promise<RequestBody | undefined> {
  if (body === undefined || body === null) return undefined;
  if (typeof body !== 'string' && !isBody(body))
    throw new TypeError(
      'body must be text, bytes, URLSearchParams, FormData, a Blob or a stream; use json for an object',
    );
  const sent = new Response(body as never);
  const bytes = new Uint8Array(await sent.arrayBuffer());
  return { text: '', bytes, type: sent.headers.get('content-type') ?? '' };
}

/** Returns headers as the attribute of a record; a repeated name has an array. */
function headersOf(headers: FetchOptions['headers']): Readonly<Record<string, unknown>> | undefined {
  if (headers === undefined || headers === null) return undefined;
  if (!(headers instanceof Headers) && !Array.isArray(headers)) return headers as Record<string, string>;
  const all: Record<string, string[]> = Object.create(null);
  for (const [name, value] of headers as Iterable<readonly [string, string]>) {
    all[name] ??= [];
    all[name].push(String(value));
  }
  return all;
}
