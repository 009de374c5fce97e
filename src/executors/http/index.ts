import { BlockList } from 'node:net';
import { TaskpipeError } from '../../core/errors.ts';
import { optionName } from '../../core/option.ts';
import type { Task } from '../../core/task.ts';
import { compileTemplate } from '../../core/template.ts';
import type { Executor } from '../executor.ts';
import type { OpenWork } from '../module/open.ts';
import type { OwnWork } from '../threads/beside.ts';
import { type AddressRule, publicOr, toNetworks } from './addresses.ts';
import { type Client, createClient } from './client.ts';
import { curlLine } from './curl.ts';
import { readHeaders } from './headers.ts';
import { createJudge } from './judge.ts';
import { checked, type HttpOptions, MAX_BODY, TIMEOUT } from './options.ts';
import { openConnector, openPool } from './pool.ts';
import { MAX_TIMEOUT, type Request, type RequestDefaults, requestOf, urlOf } from './request.ts';
import { originOf } from './target.ts';
import { keyOf, type Visitor, visit } from './visit.ts';

export { fromValues, type HttpOptions, httpOptions } from './options.ts';

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
    timeout: Math.min(timeout, MAX_TIMEOUT),
  };
  const sendsKey = options.idempotencyHeader === true;
  const { threads = 1 } = options;
  if (threads > 1) mustBeApart(options);
  const here = await openHere(options, defaults, { follow, sendsKey });
  const work = threads > 1 ? await besideThreads(here, options, threads - 1) : here;
  const curlOf = (request: Request, { uuid }: Task): string =>
    curlLine(request, { typed, read: headers, userAgent, follow, insecure, key: keyOf({ sendsKey }, uuid) });
  return {
    lane(task) {
      const text = urlOf(task, defaults.url);
      return typeof text === 'string' ? originOf(text) : '';
    },
    attempt(task, attempt) {
      if (printCurl !== undefined && attempt.number === 1) {
        const request = requestOf(task, defaults);
        if (!('code' in request)) printCurl(curlOf(request, task));
      }
      return work.attempt(task, attempt);
    },
    describe(task) {
      const request = requestOf(task, defaults);
      if ('code' in request) return `nothing: ${request.message}`;
      return printCurl === undefined ? `${request.method} ${request.target.href}` : curlOf(request, task);
    },
    close: work.close,
  };
}

/** The work on this thread. */
async function openHere(
  options: HttpOptions,
  defaults: RequestDefaults,
  how: Pick<Visitor, 'follow' | 'sendsKey'>,
): Promise<OwnWork> {
  const judge = await createJudge(options);
  const { client, close } = await openClient(options, defaults);
  const visitor: Visitor = { client, judge, ...how, underway: 0 };
  return {
    get size() {
      return visitor.underway;
    },
    attempt(task, attempt) {
      const request = requestOf(task, defaults);
      return 'code' in request ? { error: request } : visit(visitor, task, request, attempt);
    },
    close,
  };
}

/** Threads are executors of their own: what they would have to share is refused. @throws {TaskpipeError} `USAGE` */
function mustBeApart(options: HttpOptions): void {
  const shared = (['cookies', 'hostErrors'] as const).find((name) => options[name] !== undefined);
  if (shared === undefined) return;
  throw new TaskpipeError('USAGE', `${optionName(shared)} is for one thread; leave out --threads`);
}

/**
 * The work on this thread and others. Nothing of it holds a thread, and it takes less to make requests here than to
 * have one more thread for what is done here anyway. Lanes, rates and pauses are the stage's, and so one for all.
 */
async function besideThreads(here: OwnWork, options: HttpOptions, count: number): Promise<OpenWork> {
  const { openBeside } = await import('../threads/beside.ts');
  const { printCurl: _, threads: __, env, ...rest } = options;
  return openBeside(here, { work: { kind: 'http', options: { ...rest, env: { ...env } } }, count });
}

/** Opens what requests go through. What few ask for is loaded only for them. */
export async function openClient(
  options: HttpOptions,
  defaults: RequestDefaults,
): Promise<{ client: Client; close: () => Promise<void> }> {
  const { maxBody = MAX_BODY, userAgent = 'taskpipe', insecure = false } = options;
  const proxy = await import('./proxy.ts');
  const settings = proxy.proxySettings(options.proxy, options.env ?? {});
  const mayConnect = addressRule(options, settings?.from);
  const connector = openConnector({ timeout: defaults.timeout, insecure, mayConnect });
  const pool = openPool(connector.connect);
  const cookies =
    options.cookies === undefined
      ? undefined
      : await (await import('./cookies.ts')).openCookies(options.cookies);
  const cache =
    options.cache === undefined
      ? undefined
      : await (await import('./cache.ts')).openCache(options.cache, maxBody);
  const proxies = settings === undefined ? undefined : proxy.openProxies(settings, pool, connector);
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

/**
 * Which addresses may be connected to; undefined where all may.
 * @param proxy where a proxy is from, if there is one
 * @throws {TaskpipeError} `USAGE` where the options can't be kept together
 */
function addressRule(
  { denyPrivate, allowAddress }: HttpOptions,
  proxy: string | undefined,
): AddressRule | undefined {
  checked('allowAddress', allowAddress);
  if (denyPrivate !== true) {
    if (allowAddress === undefined) return undefined;
    throw new TaskpipeError('USAGE', '--allow-address makes exceptions to --deny-private; give that too');
  }
  if (proxy !== undefined) {
    const message = `--deny-private can't be kept with a proxy (${proxy}), which connects where it likes`;
    throw new TaskpipeError('USAGE', `${message}; no_proxy='*' is without one`);
  }
  return publicOr(allowAddress === undefined ? new BlockList() : toNetworks(allowAddress));
}
