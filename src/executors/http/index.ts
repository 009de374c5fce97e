/*
 * The executor of --http: sends a request for each task. request/ makes it, transport/ sends it, response/ reads the answer.
 * Must not retry or limit rates: that is for the stage.
 */
import type { Task } from '../../core/record/task.ts';
import { compileTemplate, type Template } from '../../core/record/template.ts';
import type { Attempt, Executor, Outcome } from '../contract.ts';
import { openClient } from './open-client.ts';
import { checked, type HttpOptions, keptHeaders, TIMEOUT } from './options.ts';
import {
  MAX_TIMEOUT,
  type Request,
  type RequestDefaults,
  requestOf,
  urlOf,
} from './request/build-request.ts';
import { readHeaders } from './request/headers.ts';
import { originOf } from './request/target.ts';
import { keyOf, type RequestLoop, requestLoop } from './request-loop.ts';
import type { BodyPlaces } from './response/body-places.ts';
import { createJudge } from './response/http-outcome.ts';

export { fromValues, type HttpOptions, httpOptions } from './options.ts';

/**
 * Returns the executor of `--http`, which sends one request for each task. The stage limits rates and retries.
 * @throws {TaskpipeError} `USAGE` if an option is invalid, `IO` if a file or folder of an option cannot be used
 */
export async function http(options: HttpOptions = {}): Promise<Executor> {
  const { follow = 5, timeout = TIMEOUT, idempotencyHeader: sendsKey = false } = options;
  const url = checked('url', options.url);
  const defaults: RequestDefaults = {
    url: url === undefined ? undefined : compileTemplate(url),
    method: checked('method', options.method) ?? 'get',
    headers: await readHeaders(options.header ?? []),
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
  const { judge, judgeAt, places, close: closeJudge } = await createJudge(options, timeout);
  const { client, close } = await openClient(options, defaults);
  const visitor: RequestLoop = { client, judge, follow, keeps: keptHeaders(options), sendsKey };
  const curlOf = options.printCurl === undefined ? undefined : await curlWriter(options, defaults, visitor);
  const fixedOrigin = defaults.url === undefined ? '' : originOfAll(defaults.url);
  const attemptAt = async (
    places: BodyPlaces,
    task: Task,
    request: Request,
    attempt: Attempt,
  ): Promise<Outcome> => {
    const place = await places.placeFor(task, request.target.href);
    if ('code' in place) return { error: place };
    const there = { ...visitor, client: place.client(client), judge: judgeAt(place) };
    const outcome = await requestLoop(there, task, request, attempt).finally(() => place.release());
    if (outcome.retry === undefined || !place.hasProgress) return outcome;
    return { ...outcome, retry: { ...outcome.retry, hasProgress: true } };
  };
  return {
    lane(task) {
      if (fixedOrigin !== '') return fixedOrigin;
      const text = urlOf(task, defaults.url);
      return typeof text === 'string' ? originOf(text) : '';
    },
    attempt(task, attempt) {
      const request = requestOf(task, defaults);
      if ('code' in request) return { error: request };
      if (curlOf !== undefined && attempt.number === 1) options.printCurl?.(curlOf(request, task));
      if (places === undefined) return requestLoop(visitor, task, request, attempt);
      return attemptAt(places, task, request, attempt);
    },
    describe(task) {
      const request = requestOf(task, defaults);
      if ('code' in request) return `nothing: ${request.message}`;
      return curlOf?.(request, task) ?? `${request.method} ${request.target.href}`;
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

/** Returns the origin of all urls of a template, `''` if an attribute is a part of it. Saves a url for each task. */
function originOfAll({ names, start }: Template): string {
  return names.length === 0 || /^https?:\/\/[^/?#\\]+[/?#]/i.test(start) ? originOf(start) : '';
}

/** Returns the function that writes requests as curl command lines. */
async function curlWriter(
  { header: typed = [], userAgent = 'taskpipe', insecure = false }: HttpOptions,
  { headers: read }: RequestDefaults,
  visitor: RequestLoop,
): Promise<(request: Request, task: Task) => string> {
  const { curlLine } = await import('./request/print-curl.ts');
  const { follow } = visitor;
  return (request, { uuid }) =>
    curlLine(request, { typed, read, userAgent, follow, insecure, key: keyOf(visitor, uuid) });
}
