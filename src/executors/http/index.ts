import { type Option, optionName, parseOption } from '../../core/option.ts';
import type { Task } from '../../core/task.ts';
import { compileTemplate } from '../../core/template.ts';
import type { Attempt, Executor, Outcome } from '../executor.ts';
import { fileResult, type Result, type ResultOptions, result } from './body.ts';
import { type Client, createClient } from './client.ts';
import { curlLine } from './curl.ts';
import { type Answer, isFault } from './exchange.ts';
import { compileExpectations, compileStatuses, type Expectation } from './expect.ts';
import type { Fault } from './faults.ts';
import { makeFolder } from './files.ts';
import { readHeaders } from './headers.ts';
import { type HttpOptions, httpOptions, MAX_BODY } from './options.ts';
import { openConnector, openPool } from './pool.ts';
import { type Hop, isRedirect, nextHop } from './redirect.ts';
import { type Request, type RequestDefaults, requestOf, urlOf } from './request.ts';
import { isIdempotent, retryOf } from './retry.ts';
import { originOf } from './target.ts';
import { Trip } from './trip.ts';

export { fromValues, type HttpOptions, httpOptions } from './options.ts';

const TIMEOUT = 30_000;

/**
 * The executor of `--http`: one request for each task. Rates, lanes and trying again are the stage's.
 * @throws {TaskpipeError} `USAGE` where an option is wrong, `IO` where a file or folder of an option can't be used
 */
export async function http(options: HttpOptions = {}): Promise<Executor> {
  const { insecure = false, follow = 5, userAgent = 'taskpipe', timeout = TIMEOUT, printCurl } = options;
  const url = checked('url', options.url);
  const typed = options.header ?? [];
  const headers = await readHeaders(typed);
  const defaults: RequestDefaults = {
    url: url === undefined ? undefined : compileTemplate(url),
    method: checked('method', options.method) ?? 'get',
    headers,
    timeout,
  };
  const judge = await createJudge(options);
  const { client, close } = await openClient(options, defaults);
  const visitor: Visitor = { client, judge, follow, sendsKey: options.idempotencyHeader === true };
  const curlOf = (request: Request, { uuid }: Task): string =>
    curlLine(request, { typed, read: headers, userAgent, follow, insecure, key: keyOf(visitor, uuid) });
  return {
    lane(task) {
      const text = urlOf(task, defaults.url);
      return typeof text === 'string' ? originOf(text) : '';
    },
    attempt(task, attempt) {
      const request = requestOf(task, defaults);
      if ('code' in request) return { error: request };
      if (printCurl !== undefined && attempt.number === 1) printCurl(curlOf(request, task));
      return visit(visitor, task, request, attempt);
    },
    describe(task) {
      const request = requestOf(task, defaults);
      if ('code' in request) return `nothing: ${request.message}`;
      return printCurl === undefined ? `${request.method} ${request.target.href}` : curlOf(request, task);
    },
    close,
  };
}

type CheckedOption = 'url' | 'method' | 'expectStatus' | 'body';

/** An option's value, checked as on the command line. @throws {TaskpipeError} `USAGE` */
function checked(name: CheckedOption, value: string | undefined): string | undefined {
  if (value !== undefined) parseOption(httpOptions[name] as Option<unknown>, value, optionName(name));
  return value;
}

/** Opens what requests go through. What few ask for is loaded only for them. */
async function openClient(
  options: HttpOptions,
  defaults: RequestDefaults,
): Promise<{ client: Client; close: () => Promise<void> }> {
  const { maxBody = MAX_BODY, userAgent = 'taskpipe', insecure = false } = options;
  const limits = { timeout: defaults.timeout, insecure };
  const connector = openConnector(limits);
  const pool = openPool(connector);
  const cookies =
    options.cookies === undefined
      ? undefined
      : await (await import('./cookies.ts')).openCookies(options.cookies);
  const cache =
    options.cache === undefined
      ? undefined
      : await (await import('./cache.ts')).openCache(options.cache, maxBody);
  const proxy = await import('./proxy.ts');
  const settings = proxy.proxySettings(options.proxy, options.env ?? {});
  const proxies = settings === undefined ? undefined : proxy.openProxies(settings, pool, limits);
  const { hostErrors } = options;
  const usualHeaders = defaults.headers;
  return {
    client: createClient({ pool, proxies, cookies, cache, userAgent, usualHeaders, maxBody, hostErrors }),
    async close() {
      connector.abandon();
      await Promise.all([pool.destroy(), proxies?.close()]);
      await cookies?.save();
    },
  };
}

/** Makes an outcome of the last answer. */
type Judge = (task: Task, hop: Hop, answer: Answer, again: Again) => Promise<Outcome> | Outcome;

/** What is known of whether a task may be tried again. */
interface Again {
  /** Whether it may be done twice. */
  readonly mayRepeat: boolean;
  /** Whether a server has acted already, before a redirect. */
  readonly hasActed: boolean;
}

async function createJudge(options: HttpOptions): Promise<Judge> {
  const isExpected = compileStatuses(checked('expectStatus', options.expectStatus) ?? '2xx');
  const expectation = await compileExpectations(options.expectJson, options.expectBody);
  checked('body', options.body);
  const { bodyDir: dir } = options;
  const shape: ResultOptions = { body: options.body ?? 'auto', headers: options.headers ?? false };
  if (dir !== undefined) await makeFolder(dir);
  const outcomeOf = (made: Result, answer: Answer, again: Again): Outcome =>
    isExpected(answer.status) ? judged(made, answer, expectation) : unexpected(made, answer, again);
  return (task, { method, target: { href } }, answer, again) => {
    if (dir === undefined) return outcomeOf(result(answer, method, href, shape), answer, again);
    const writing = fileResult(answer, method, href, task, { ...shape, dir });
    return writing.then((made) => outcomeOf(made, answer, again));
  };
}

function judged({ text, failure }: Result, answer: Answer, expectation: Expectation | undefined): Outcome {
  const error = failure ?? expectation?.(answer);
  return error === undefined ? { result: text } : { result: text, error };
}

function unexpected({ text }: Result, answer: Answer, { mayRepeat, hasActed }: Again): Outcome {
  const error = { code: 'HTTP_STATUS', message: `${answer.status} ${answer.reason}`.trim() };
  const retry = retryOf(answer, mayRepeat, hasActed);
  return retry === undefined ? { result: text, error } : { result: text, error, retry };
}

/** What does one attempt. */
interface Visitor {
  readonly client: Client;
  readonly judge: Judge;
  readonly follow: number;
  /** Whether the uuid goes along as `Idempotency-Key`. */
  readonly sendsKey: boolean;
}

function keyOf({ sendsKey }: Visitor, uuid: string): string | undefined {
  return sendsKey ? uuid : undefined;
}

/** Sends a request, and goes where redirects lead. */
async function visit(visitor: Visitor, task: Task, request: Request, attempt: Attempt): Promise<Outcome> {
  const { client, judge, follow, sendsKey } = visitor;
  const key = keyOf(visitor, task.uuid);
  const mayRepeat = sendsKey || isIdempotent(request.method);
  const trip = new Trip(request.timeout, attempt.signal);
  let hop: Hop = request;
  let hasActed = false;
  try {
    for (let redirects = 0; ; redirects++) {
      const answer = await client.send(hop, trip, key, redirects < follow);
      if (isFault(answer)) return failed(answer, { mayRepeat, hasActed });
      if (follow === 0 || !isRedirect(answer.status, answer.headers)) {
        return await judge(task, hop, answer, { mayRepeat, hasActed });
      }
      const next = redirects < follow ? nextHop(hop, answer) : tooMany(follow, hop);
      if (isFault(next)) {
        const { result: text } = await judge(task, hop, answer, { mayRepeat, hasActed });
        return { ...(text === undefined ? {} : { result: text }), ...failed(next, { mayRepeat, hasActed }) };
      }
      // Turned into a GET, it tells of what has been done; sent on as it is, it has not been.
      hasActed ||= next.method !== hop.method;
      hop = next;
    }
  } finally {
    trip.end();
  }
}

function tooMany(follow: number, { target }: Hop): Fault {
  const message = `more than ${follow} redirects; the last one was from ${target.host} (--follow)`;
  return { code: 'REDIRECTS', message, again: 'never' };
}

function failed({ code, message, again }: Fault, { mayRepeat, hasActed }: Again): Outcome {
  const isSafe = again === 'idempotent' ? mayRepeat : again === 'always' && (mayRepeat || !hasActed);
  return isSafe ? { error: { code, message }, retry: {} } : { error: { code, message } };
}
