import { STATUS_CODES } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Task } from '../../core/record/task.ts';
import type { Attempt, Outcome, StageControl } from '../contract.ts';
import { openClient } from './open-client.ts';
import { checked, type HttpOptions, keptHeaders, TIMEOUT } from './options.ts';
import {
  MAX_TIMEOUT,
  type Request,
  type RequestDefaults,
  requestOf,
  toMethod,
} from './request/build-request.ts';
import { type FetchOptions, fetchInput, withContent } from './request/fetch-input.ts';
import { readHeaders } from './request/headers.ts';
import type { HttpRequest } from './request/redirect.ts';
import { type RequestLoop, requestLoop } from './request-loop.ts';
import { textOf } from './response/charset.ts';
import { contentTypeOf } from './response/content-type.ts';
import type { Answer } from './transport/answer.ts';

export type { FetchOptions } from './request/fetch-input.ts';

/** Response with a complete body. Names are those of `Response` in browsers. */
export interface FetchResponse {
  readonly status: number;
  readonly statusText: string;
  /** True if the status is one of 200 to 299. */
  readonly ok: boolean;
  /** Url after redirects. */
  readonly url: string;
  /** True if it is the response to a redirect. */
  readonly redirected: boolean;
  readonly headers: Headers;
  /** Returns the body, decoded by its charset. */
  text(): Promise<string>;
  /** Returns the body parsed as JSON. @throws {SyntaxError} */
  json(): Promise<unknown>;
  bytes(): Promise<Uint8Array>;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
}

/**
 * Fetches a url by the rules of `--http`: one deadline, limited size, verified TLS, your headers are not sent to
 * another origin. A body that ends early is an error. A status is not an error: see `ok`.
 * @throws an `Error` with the `code` of the failure; `retry` is true if it may be temporary: a task that does not
 *   catch it is then retried
 */
export type Fetch = (url: string | URL, options?: FetchOptions) => Promise<FetchResponse>;

/** Fetch functions that share connections until they are closed. */
export interface Fetcher {
  /** Returns a fetch function. @param signal gives up running requests */
  fetch(signal: AbortSignal): Fetch;
  close(): Promise<void>;
}

/** Opens connections for fetch functions. @throws {TaskpipeError} as `http()` does */
export async function openFetcher(options: HttpOptions): Promise<Fetcher> {
  const { follow = 5, timeout = TIMEOUT, lenient = false, idleTimeout: idle } = options;
  const defaults: RequestDefaults = {
    url: undefined,
    method: toMethod(checked('method', options.method) ?? 'get'),
    headers: await readHeaders(options.header, options.info),
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
  const { client, close } = await openClient(options, defaults);
  const robots = options.robots === true ? (await import('./robots/index.ts')).openRobots : undefined;
  const gate = robots?.(options, defaults, client);
  const keeps = keptHeaders(options);
  return {
    fetch: (signal) => async (url, more) => {
      const { attributes, content, given, redirect } = await fetchInput(more);
      const task = new Task('', JSON.stringify({ ...attributes, url: String(url) }));
      const made = requestOf(task, defaults);
      if ('code' in made) throw fetchError(made, false);
      const request = withContent(made, content);
      given?.throwIfAborted();
      let response: FetchResponse | undefined;
      const judge = (_: Task, hop: HttpRequest, answer: Answer): object => {
        response = responseOf(hop, answer, hop.target.href !== request.target.href);
        return {};
      };
      const visitor = {
        client,
        judge,
        robots: gate,
        follow: redirect === 'follow' ? follow : 0,
        keeps,
        lenient,
        idle,
        sendsKey: false,
      };
      const { error, retry } = await withPatience(visitor, task, request, {
        number: 1,
        signal: given === undefined ? signal : AbortSignal.any([signal, given]),
        stage: NO_STAGE,
      });
      given?.throwIfAborted();
      if (response === undefined || error !== undefined)
        throw fetchError(error ?? GIVEN_UP, retry !== undefined);
      if (
        redirect === 'error' &&
        response.status >= 301 &&
        response.status <= 308 &&
        response.headers.has('location')
      )
        throw fetchError(
          { code: 'REDIRECTS', message: `${response.url} redirects (redirect: "error")` },
          false,
        );
      return response;
    },
    close,
  };
}

/** First wait for a token endpoint that is not available, in milliseconds. It doubles. */
const FIRST_WAIT = 500;

/**
 * Sends a request as `requestLoop` does. Sends it again while its token endpoint is not available, which would pause
 * a lane. No wait exceeds the timeout of the request.
 */
async function withPatience(
  visitor: RequestLoop,
  task: Task,
  request: Request,
  attempt: Attempt,
): Promise<Outcome> {
  const end = performance.now() + request.timeout;
  for (let wait = FIRST_WAIT; ; wait *= 2) {
    const timeout = Math.max(1, end - performance.now());
    const outcome = await requestLoop(visitor, task, { ...request, timeout }, attempt);
    if (outcome.retry?.pauseLane !== true || performance.now() + wait > end) return outcome;
    await sleep(wait, undefined, { signal: attempt.signal }).catch(() => {}); // aborted: the next request reports it
  }
}

const NO_STAGE: StageControl = { stop() {}, done() {} };
const GIVEN_UP = { code: 'ABORTED', message: 'given up' };

function fetchError({ code, message }: { code: string; message: string }, retry: boolean): Error {
  return Object.assign(new Error(message), { code, retry });
}

function responseOf(
  { target }: HttpRequest,
  { status, reason, headers, body }: Answer,
  redirected: boolean,
): FetchResponse {
  const fields = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
  const text = (): string => textOf(body, contentTypeOf(headers));
  return {
    status,
    statusText: reason || (STATUS_CODES[status] ?? ''),
    ok: status >= 200 && status < 300,
    url: target.href,
    redirected,
    headers: new Headers(fields),
    text: async () => text(),
    json: async () => JSON.parse(text()),
    bytes: async () => new Uint8Array(body),
    arrayBuffer: async () => new Uint8Array(body).buffer,
    blob: async () => new Blob([new Uint8Array(body)], { type: String(headers['content-type'] ?? '') }),
  };
}
