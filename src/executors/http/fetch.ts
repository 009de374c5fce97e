import { STATUS_CODES } from 'node:http';
import { Task } from '../../core/record/task.ts';
import type { StageControl } from '../contract.ts';
import { openClient } from './open-client.ts';
import { checked, type HttpOptions, TIMEOUT } from './options.ts';
import { MAX_TIMEOUT, type RequestDefaults, requestOf } from './request/build-request.ts';
import { readHeaders } from './request/headers.ts';
import type { Hop } from './request/redirect.ts';
import { visit } from './request-loop.ts';
import { textOf } from './response/charset.ts';
import { contentTypeOf } from './response/content-type.ts';
import type { Answer } from './transport/exchange.ts';

/** What a request of `Fetch` may have beside its url: the attributes of a task of `--http`. */
export interface FetchOptions {
  /** Default `get`; `json` is a POST of `data` or `json` as JSON. */
  readonly method?: string | undefined;
  readonly params?: Readonly<Record<string, unknown>> | string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly data?: unknown;
  readonly json?: unknown;
  /** From the first to the last byte, in seconds. Default 30. */
  readonly timeout?: number | undefined;
}

/** An answer whose body has come whole. The names are those of the `Response` of browsers. */
export interface FetchResponse {
  readonly status: number;
  readonly statusText: string;
  /** Whether the status is one of 200 to 299. */
  readonly ok: boolean;
  /** Where redirects have led. */
  readonly url: string;
  readonly headers: Headers;
  /** The body, decoded by its charset. */
  text(): Promise<string>;
  /** The body as JSON. @throws {SyntaxError} */
  json(): Promise<unknown>;
  bytes(): Promise<Uint8Array>;
}

/**
 * Fetches a url by the rules of `--http`: one deadline, caps on what comes, verified TLS, no header of yours to another
 * origin; a body that ends early is an error, never half a body. A status is no error: see `ok`.
 * @throws an `Error` with the `code` of the failure, and `retry` true where it may pass, so that a task that lets it
 *   through is tried again
 */
export type Fetch = (url: string | URL, options?: FetchOptions) => Promise<FetchResponse>;

/** What fetches, for as long as it is not closed. */
export interface Fetcher {
  /** @param signal gives up what is under way */
  fetch(signal: AbortSignal): Fetch;
  close(): Promise<void>;
}

/** @throws {TaskpipeError} as `http()` does */
export async function openFetcher(options: HttpOptions): Promise<Fetcher> {
  const { follow = 5, timeout = TIMEOUT } = options;
  const defaults: RequestDefaults = {
    url: undefined,
    method: checked('method', options.method) ?? 'get',
    headers: await readHeaders(options.header ?? []),
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
  const { client, close } = await openClient(options, defaults);
  return {
    fetch: (signal) => async (url, more) => {
      const task = new Task('', JSON.stringify({ ...more, url: String(url) }));
      const request = requestOf(task, defaults);
      if ('code' in request) throw fetchError(request, false);
      let response: FetchResponse | undefined;
      const judge = (_: Task, hop: Hop, answer: Answer): object => {
        response = responseOf(hop, answer);
        return {};
      };
      const visitor = { client, judge, follow, sendsKey: false };
      const { error, retry } = await visit(visitor, task, request, { number: 1, signal, stage: NOBODY });
      if (response === undefined || error !== undefined)
        throw fetchError(error ?? GIVEN_UP, retry !== undefined);
      return response;
    },
    close,
  };
}

const NOBODY: StageControl = { stop() {}, done() {} };
const GIVEN_UP = { code: 'ABORTED', message: 'given up' };

function fetchError({ code, message }: { code: string; message: string }, retry: boolean): Error {
  return Object.assign(new Error(message), { code, retry });
}

function responseOf({ target }: Hop, { status, reason, headers, body }: Answer): FetchResponse {
  const fields = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
  const text = (): string => textOf(body, contentTypeOf(headers));
  return {
    status,
    statusText: reason || (STATUS_CODES[status] ?? ''),
    ok: status >= 200 && status < 300,
    url: target.href,
    headers: new Headers(fields),
    text: async () => text(),
    json: async () => JSON.parse(text()),
    bytes: async () => new Uint8Array(body),
  };
}
