import { setTimeout as sleep } from 'node:timers/promises';
import type { Login, Logins } from '../auth/login.ts';
import { type HeaderList, headerValue, mergeHeaders } from '../request/headers.ts';
import { type HttpRequest, isRedirect } from '../request/redirect.ts';
import type { Target } from '../request/target.ts';
import { type OpenUpload, openUpload } from '../request/upload.ts';
import { isIdempotent } from '../response/retry-after.ts';
import { type Answer, type AnswerHeaders, type BodyStore, isFault } from './answer.ts';
import type { Dispatch, Sender } from './connection-pool.ts';
import type { Cookies } from './cookies.ts';
import { ACCEPT_ENCODING, decoded, isCoded } from './decode.ts';
import { Exchange, type ExchangeLimits } from './exchange.ts';
import type { Cache } from './http-cache.ts';
import { type HttpFault, proxyLoginFault } from './http-failure.ts';
import { makeRoom } from './local-shortage.ts';
import type { Deadline } from './request-deadline.ts';
import type { Proxies } from './routes/proxy-routes.ts';
import type { Route } from './routes/route.ts';
import { squidReason } from './routes/squid-reason.ts';

export interface ClientOptions {
  readonly pool: Sender;
  /** Returns a pool whose connections are used once. */
  readonly freshPool: () => Sender;
  readonly proxies: Proxies | undefined;
  readonly cookies: Cookies | undefined;
  readonly cache: Cache | undefined;
  /** Choice of logins. Default: requests have only the credentials in their headers. */
  readonly logins?: Logins | undefined;
  /** Text that identifies the client certificate, for the cache. */
  readonly certificate?: string | undefined;
  readonly userAgent: string;
  /** User headers of most requests. Requests with these share one merged list. */
  readonly usualHeaders: HeaderList;
  readonly maxBody: number;
  /** Number of connection failures in a row after which a host is given up. */
  readonly hostErrors: number | undefined;
}

/** Client that sends requests. */
export interface Client {
  /**
   * Sends one request.
   * @param key for `Idempotency-Key`
   * @param follows whether a redirect will be followed, so that its body does not matter
   * @param store files for large bodies; a cache keeps all bodies in memory
   * @returns the response, with its body decoded
   * @throws {TaskpipeError} `IO` if a file cannot be written
   */
  send(
    hop: HttpRequest,
    trip: Deadline,
    key: string | undefined,
    follows: boolean,
    store?: BodyStore,
  ): Promise<Answer | HttpFault>;
}

const NO_PROXIES = { inTurn: undefined };

const keepsAll = (): boolean => false;

export function createClient(options: ClientOptions): Client {
  const { pool, freshPool, proxies, cookies, cache, usualHeaders, maxBody, hostErrors } = options;
  const own = ['user-agent', options.userAgent, 'accept', '*/*', 'accept-encoding', ACCEPT_ENCODING];
  const usual = mergeHeaders(own, usualHeaders);
  const lasting: ExchangeLimits = { maxBody, skips: keepsAll };
  const passing: ExchangeLimits = {
    maxBody,
    skips: (status: number, headers: AnswerHeaders) => isRedirect(status, headers),
  };
  /** For HEAD, whose content-length is that of a body that does not arrive. */
  const bodiless: ExchangeLimits = { maxBody: Number.POSITIVE_INFINITY, skips: keepsAll };
  const failures = hostErrors === undefined ? undefined : countFailures(hostErrors);

  const requestFor = (
    hop: HttpRequest,
    headers: HeaderList,
    route: Route | undefined,
    exchange: Exchange,
    upload: OpenUpload | undefined,
  ): Dispatch => {
    const { method, target, content } = hop;
    const body = upload === undefined ? (content?.bytes ?? content?.text ?? null) : bodyOf(upload);
    if (route === undefined) {
      return {
        origin: target.origin,
        path: target.path,
        method,
        headers: headers as string[],
        body,
        exchange,
      };
    }
    return {
      origin: route.origin,
      path: route.path,
      method,
      headers: mergeHeaders(route.headers, headers) as string[],
      body,
      exchange,
      by: route.dispatcher,
    };
  };

  /**
   * Sends a request, and again on a new connection if a reused one was closed before the server had the request, or
   * if this process had too many open files for a connection.
   */
  const sendOnce = async (
    hop: HttpRequest,
    headers: HeaderList,
    trip: Deadline,
    limits: ExchangeLimits,
    route: Route | undefined,
    peer: string,
  ): Promise<Answer | HttpFault> => {
    for (let used: Sender = pool; ; ) {
      const started = new Exchange(peer, hop.method, limits);
      started.hasBody = hop.content !== undefined;
      trip.enter(started);
      const upload =
        hop.content?.upload && (await openUpload(hop.content.upload.parts, () => started.onProgress?.()));
      if (upload !== undefined && isFault(upload)) return upload;
      const sized = upload === undefined ? headers : [...headers, 'content-length', String(upload.length)];
      const request = requestFor(hop, sized, route, started, upload);
      const by = request.by === pool ? used : (request.by ?? used);
      by.dispatch(request, started);
      const settled = await started.ended;
      await upload?.close();
      if (started.isShort) await sleep(makeRoom());
      if (trip.over === undefined && (started.isLostRace || started.isShort)) {
        if (started.isLostRace) used = freshPool();
        continue;
      }
      const late = isFault(settled) ? undefined : started.lateFault();
      if (late !== undefined) void (settled as Answer).file?.discard();
      if (late !== undefined || isFault(settled)) return late ?? settled;
      if (settled.status !== 407 || route?.peer === undefined) return settled;
      void settled.file?.discard();
      return proxyLoginFault(route.peer, `it answered 407${squidReason(settled.headers)}`);
    }
  };

  const exchange = async (
    hop: HttpRequest,
    headers: HeaderList,
    trip: Deadline,
    limits: ExchangeLimits,
  ): Promise<Answer | HttpFault> => {
    const { target } = hop;
    const down = trip.over ?? failures?.fault(target);
    if (down !== undefined) return down;
    const { inTurn } = proxies ?? NO_PROXIES;
    const route = inTurn === undefined ? proxies?.route(target) : undefined;
    const peer = route?.peer ?? target.host;
    const ended =
      inTurn === undefined
        ? await sendOnce(hop, headers, trip, limits, route, peer)
        : await inTurn(target, {
            mayRepeat: isIdempotent(hop.method),
            over: () => trip.over,
            send: (by) => sendOnce(hop, headers, trip, limits, by, by.peer ?? target.host),
          });
    failures?.note(target, ended);
    if (isFault(ended)) return orThrow(ended);
    if (hop.isPublic !== true) cookies?.take(target.href, ended.headers['set-cookie']);
    if (ended.file !== undefined) {
      const fault = await ended.file.finished;
      if (fault === undefined) return ended;
      await ended.file.suspend();
      return orThrow(fault);
    }
    return isCoded(ended.headers) ? decoded(ended, maxBody, peer) : ended;
  };

  /** Sends a request with its login, if it has one. */
  const loggedIn = (
    hop: HttpRequest,
    headers: HeaderList,
    trip: Deadline,
    limits: ExchangeLimits,
    login: Login | undefined,
  ): Promise<Answer | HttpFault> => {
    if (login === undefined) return exchange(hop, headers, trip, limits);
    return login.send(hop, headers, trip, (sent, list) =>
      exchange(sent, list, trip, sent === hop ? limits : bodiless),
    );
  };

  const headersFor = (hop: HttpRequest, key: string | undefined): HeaderList => {
    const isUsual = hop.headers === usualHeaders;
    if (isUsual && hop.content === undefined && key === undefined && cookies === undefined) return usual;
    const more = [...own];
    if (hop.content !== undefined && hop.content.type !== '') more.push('content-type', hop.content.type);
    if (key !== undefined) more.push('idempotency-key', Buffer.from(key).toString('latin1'));
    const jar = hop.isPublic === true ? '' : (cookies?.of(hop.target.href) ?? '');
    const said = headerValue(hop.headers, 'cookie');
    const merged = mergeHeaders(more, hop.headers);
    if (jar === '') return merged;
    return mergeHeaders(merged, ['cookie', said === undefined ? jar : `${said}; ${jar}`]);
  };

  return {
    send(hop, trip, key, follows, store) {
      const headers = headersFor(hop, key);
      const login = hop.isPublic === true ? undefined : options.logins?.of(hop);
      const limits = hop.method === 'HEAD' ? bodiless : follows ? passing : lasting;
      // The cache does not know bodies: a GET with a body may have a different answer for each body.
      if (cache === undefined || (hop.content !== undefined && cache.takesBodies !== true))
        return loggedIn(hop, headers, trip, store === undefined ? limits : withStore(limits, store), login);
      const whose = `${options.certificate ?? ''}${login?.identity ?? ''}`;
      const request = { method: hop.method, url: hop.target.href, headers, whose, hop };
      return cache.through(request, (conditional) => loggedIn(hop, conditional, trip, limits, login));
    },
  };
}

/** Returns limits for a request whose bodies go to files. */
function withStore({ maxBody, skips }: ExchangeLimits, store: BodyStore): ExchangeLimits {
  return {
    maxBody: Math.max(maxBody, store.maxBody), // the limit of HEAD is infinite
    skips: (status, headers) => skips(status, headers) || store.refuses(status, headers),
    store,
  };
}

/** Returns a fault of the task, and throws one that ends the stage. */
function orThrow(fault: HttpFault): HttpFault {
  if (fault.fatal !== undefined) throw fault.fatal;
  return fault;
}

/** Returns a body for undici. It takes any iterable, which its types do not say. */
function bodyOf({ bytes, length }: OpenUpload): Buffer | null {
  return length === 0 ? null : (bytes as unknown as Buffer);
}

interface Failures {
  fault(target: Target): HttpFault | undefined;
  note(target: Target, ended: Answer | HttpFault): void;
}

/** Counts failed connections to each host since its last response. */
function countFailures(limit: number): Failures {
  const inARow = new Map<string, number>();
  return {
    fault({ origin, host }) {
      if ((inARow.get(origin) ?? 0) < limit) return undefined;
      const times = limit === 1 ? 'a connection failure' : `${limit} connection failures in a row`;
      return {
        code: 'HOST_DOWN',
        message: `gave up on ${host} after ${times} (--host-errors)`,
        again: 'never',
      };
    },
    note({ origin }, ended) {
      if (!isFault(ended)) inARow.delete(origin);
      else if (ended.route === 'none') return;
      else if (ended.code === 'CONNECTION' || ended.code === 'TLS' || isUnmade(ended)) {
        inARow.set(origin, (inARow.get(origin) ?? 0) + 1);
      }
    },
  };
}

/** Returns whether a timeout came before there was a connection. */
function isUnmade({ code, again }: HttpFault): boolean {
  return code === 'TIMEOUT' && again === 'always';
}
