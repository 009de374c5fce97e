/*
 * The executor of --http: sends a request for each task. request/ makes it, transport/ sends it, response/ reads the answer.
 * Must not retry or limit rates: that is for the stage.
 */
import { quoted } from '../../core/base/terminal-text.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { compileTemplate, type Template } from '../../core/record/template.ts';
import type { Attempt, Executor, Outcome } from '../contract.ts';
import { type OpenClient, openClient } from './open-client.ts';
import { checked, type HttpOptions, keptHeaders, MAX_AFTER, TIMEOUT } from './options.ts';
import type { Pages } from './pages/index.ts';
import { openBodySource } from './request/body-source.ts';
import {
  MAX_TIMEOUT,
  type Request,
  type RequestDefaults,
  requestOf,
  toMethod,
  urlOf,
} from './request/build-request.ts';
import { headerValue, readHeaders, withoutHeaders } from './request/headers.ts';
import { originOf } from './request/target.ts';
import { keyOf, type RequestLoop, requestLoop } from './request-loop.ts';
import type { BodyPlace, BodyPlaces } from './response/files/body-places.ts';
import { createJudge } from './response/http-outcome.ts';
import { metaRefresh } from './response/meta-refresh.ts';
import { pauseOf } from './response/retry-after.ts';
import { toldLimitsBy } from './response/told-limits.ts';

export { fromValues, type HttpOptions, httpOptions } from './options.ts';

/**
 * Returns the executor of `--http`, which sends one request for each task. The stage limits rates and retries.
 * @throws {TaskpipeError} `USAGE` if an option is invalid, `IO` if a file or folder of an option cannot be used
 */
export async function http(options: HttpOptions = {}): Promise<Executor> {
  const { timeout = TIMEOUT } = options;
  const defaults = await requestDefaults(options, timeout);
  const pages = await pagesOf(options, defaults);
  const judges = await createJudge(options, timeout);
  const { judge, judgeAt, places, close: closeJudge } = pages?.judges(judges) ?? judges;
  const { client, auth, close } = await openClient(options, defaults);
  const robots = options.robots === true ? (await import('./robots/index.ts')).openRobots : undefined;
  const gate = robots?.(options, defaults, client);
  const visitor: RequestLoop = { ...loopSettings(options), client, judge, robots: gate };
  const curlOf =
    options.printCurl === undefined ? undefined : await curlWriter(options, defaults, visitor, auth);
  const fixedOrigin = defaults.url === undefined ? '' : originOfAll(defaults.url);
  const requestFor = (task: Task): Request | Failure =>
    pages === undefined ? requestOf(task, defaults) : pages.requestOf(task);
  const attemptAt = async (
    places: BodyPlaces,
    task: Task,
    request: Request,
    attempt: Attempt,
  ): Promise<Outcome> => {
    const place = await places.placeFor(pages?.placed(task) ?? task, request.target.href);
    if ('code' in place) return { error: place };
    const there = { ...visitor, client: place.client(client), judge: judgeAt(place) };
    return heldAt(place, requestLoop(there, task, request, attempt));
  };
  const batches =
    options.batch === undefined
      ? undefined
      : await (await import('./batch/index.ts')).openBatches(options, defaults, (batch, request, attempt) => {
          if (curlOf !== undefined) options.printCurl?.(curlOf(request, batch));
          return requestLoop(visitor, batch, request, attempt);
        });
  return {
    ...batches,
    finds: pages !== undefined,
    lane(task) {
      const lane = pages?.laneOf(task);
      if (lane !== undefined) return lane;
      if (fixedOrigin !== '') return fixedOrigin;
      const text = urlOf(task, defaults.url);
      return typeof text === 'string' ? originOf(text) : '';
    },
    attempt(task, attempt) {
      const request = requestFor(task);
      if ('code' in request) return { error: request };
      if (curlOf !== undefined && attempt.number === 1) options.printCurl?.(curlOf(request, task));
      if (places === undefined) return requestLoop(visitor, task, request, attempt);
      return attemptAt(places, task, request, attempt);
    },
    describe(task) {
      const request = requestFor(task);
      if ('code' in request) return `nothing: ${request.message}`;
      return curlOf?.(request, task) ?? shown(request);
    },
    get bytes() {
      return places?.bytes;
    },
    async close() {
      await close();
      await closeJudge();
    },
  };
}

/** Opens the pages of `--next`, if it is given. */
async function pagesOf(options: HttpOptions, defaults: RequestDefaults): Promise<Pages | undefined> {
  if (options.next === undefined) return undefined;
  const { openPages } = await import('./pages/index.ts');
  return openPages(options.next, options, defaults);
}

/** Holds the place of a body until its attempt has ended, even if the attempt continues in another lane. */
async function heldAt(place: BodyPlace, going: Outcome | Promise<Outcome>): Promise<Outcome> {
  let outcome: Outcome | undefined;
  try {
    outcome = await going;
  } finally {
    if (outcome?.moved === undefined) await place.release();
  }
  const { moved, retry } = outcome;
  if (moved !== undefined)
    return { ...outcome, moved: { ...moved, goOn: (later) => heldAt(place, moved.goOn(later)) } };
  if (retry === undefined || !place.hasProgress) return outcome;
  return { ...outcome, retry: { ...retry, hasProgress: true } };
}

async function requestDefaults(options: HttpOptions, timeout: number): Promise<RequestDefaults> {
  const url = checked('url', options.url);
  const headers = await readHeaders(options.header, options.info);
  const given = checked('method', options.method);
  const method = given === undefined ? undefined : toMethod(given);
  const body = await openBodySource(options, headerValue(headers, 'content-type'), method === 'json');
  return {
    url: url === undefined ? undefined : compileTemplate(url),
    method: method ?? (body === undefined && options.batch === undefined ? 'GET' : 'POST'),
    body,
    headers,
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
}

function loopSettings(options: HttpOptions): Omit<RequestLoop, 'client' | 'judge'> {
  const { follow = 5, maxRetryAfter = MAX_AFTER, lenient = false, idleTimeout: idle } = options;
  return {
    ...{ follow, lenient, idle },
    keeps: keptHeaders(options),
    sendsKey: options.idempotencyHeader ?? false,
    pauseOf: (answer) => pauseOf(answer, maxRetryAfter),
    toldBy: options.followsLimits ? toldLimitsBy(options.quotaHeaders, maxRetryAfter) : undefined,
    metaOf: options.followMeta ? metaRefresh : undefined,
    keepsRedirects: options.redirects ?? false,
  };
}

/**
 * Returns the origin of all urls of a template, `''` if an attribute is part of it. With it, the url of each task
 * need not be parsed.
 */
function originOfAll({ names, start }: Template): string {
  return names.length === 0 || /^https?:\/\/[^/?#\\]+[/?#]/i.test(start) ? originOf(start) : '';
}

/** Returns a request in words; the files of its body by their paths. */
function shown({ method, target, content }: Request): string {
  const paths = content?.upload?.parts.flatMap((part) => (typeof part === 'string' ? [] : [part.path])) ?? [];
  return `${method} ${target.href}${paths.length === 0 ? '' : ` with ${paths.map(quoted).join(', ')}`}`;
}

/** Returns the function that writes requests as curl command lines. */
async function curlWriter(
  options: HttpOptions,
  { headers: read }: RequestDefaults,
  visitor: RequestLoop,
  auth: OpenClient['auth'],
): Promise<(request: Request, task: Task) => string> {
  const { curlLine } = await import('./request/print-curl.ts');
  const route = (await import('./transport/routes/curl-route.ts')).routeWords(options);
  const { header: typed = [], userAgent = 'taskpipe', insecure = false } = options;
  const { follow } = visitor;
  return (request, { uuid }) => {
    const key = keyOf(visitor, uuid);
    const login = auth?.curl(request) ?? [];
    // A login for the user of the url replaces the header made from the url.
    const isReplaced = login.includes('--user');
    const headers = isReplaced ? withoutHeaders(request.headers, isAuthorization) : request.headers;
    return curlLine(
      { ...request, headers },
      {
        typed,
        read,
        userAgent,
        follow,
        insecure,
        route,
        key,
        login,
      },
    );
  };
}

function isAuthorization(name: string): boolean {
  return name === 'authorization';
}
