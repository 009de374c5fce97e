import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, isFault } from '../answer.ts';
import type { HttpFault } from '../http-failure.ts';
import { proxyHost } from '../tunnel.ts';
import type { Route } from './route.ts';

/** Function that sends one request by a route. */
export type SendBy = (route: Route) => Promise<Answer | HttpFault>;

/** Request that is sent by the proxies of a list. */
export interface Journey {
  /** True if it may be sent again although a server may have acted. */
  readonly mayRepeat: boolean;
  /** Reason its attempt has ended, if it has. */
  readonly over: () => HttpFault | undefined;
  readonly routeBy: (proxy: URL) => Route;
  readonly send: SendBy;
}

/** First and longest time for which a dead proxy rests, in milliseconds. The time doubles with each failure. */
const FIRST_REST = 1000;
const LONGEST_REST = 300_000;

/** Longest time for which a request waits while all proxies rest, in milliseconds. */
const LONGEST_WAIT = 10_000;

/** Interval of the checks for a proxy that has rested, in milliseconds. */
const LOOK = 100;

/** Requests in a row that a proxy leaves without an answer before it rests. */
const MOST_SILENCES = 3;

/** Proxy with its state. */
interface Member {
  readonly proxy: URL;
  /** Failures in a row. */
  failures: number;
  silences: number;
  /** Time at which it may be used again, by `performance.now()`. */
  restsUntil: number;
}

/** Proxies that are used in turn. A proxy that fails rests, and another one takes over its requests. */
export class ProxyList {
  readonly #members: readonly Member[];
  readonly #from: string;
  readonly #info: (message: string) => void;
  #next = 0;

  /** @param from name of the list for messages */
  constructor(proxies: readonly URL[], from: string, info: (message: string) => void) {
    this.#members = proxies.map((proxy) => ({ proxy, failures: 0, silences: 0, restsUntil: 0 }));
    this.#from = from;
    this.#info = info;
  }

  /** Sends a request through the next proxy, and through others if that one fails. Each is tried once. */
  async send({ mayRepeat, over, routeBy, send }: Journey): Promise<Answer | HttpFault> {
    const tried = new Set<Member>();
    let last: HttpFault | undefined;
    for (;;) {
      const member = await this.#available(tried, over);
      if (member === undefined) return over() ?? this.#noneLeft(last);
      tried.add(member);
      const route = routeBy(member.proxy);
      const ended = await send(route);
      const problem = problemOf(ended, route);
      this.#judge(member, problem, ended);
      if (problem === undefined || (problem === 'broken' && !mayRepeat)) return ended;
      const ending = over();
      if (ending !== undefined) return ending;
      // A target that refuses through all proxies is at fault itself.
      if (problem !== 'dead' && tried.size === this.#members.length) return ended as HttpFault;
      last = ended as HttpFault;
    }
  }

  /** Returns the next proxy that does not rest, and waits a limited time for one. */
  async #available(
    tried: ReadonlySet<Member>,
    over: () => HttpFault | undefined,
  ): Promise<Member | undefined> {
    if (tried.size === this.#members.length) return undefined;
    for (const end = performance.now() + LONGEST_WAIT; ; await sleep(LOOK)) {
      const now = performance.now();
      const found = this.#pick(tried, now);
      if (found !== undefined || over() !== undefined || now > end) return found;
    }
  }

  #pick(tried: ReadonlySet<Member>, now: number): Member | undefined {
    const { length } = this.#members;
    for (let i = 0; i < length; i++) {
      const member = this.#members[(this.#next + i) % length] as Member;
      if (member.restsUntil > now || tried.has(member)) continue;
      this.#next = (this.#next + i + 1) % length;
      // A single request tests whether a proxy works again.
      if (member.failures > 0) member.restsUntil = now + restOf(member.failures);
      return member;
    }
    return undefined;
  }

  #judge(member: Member, problem: Problem | undefined, ended: Answer | HttpFault): void {
    if (problem === undefined) {
      if (member.failures > 0) this.#info(`the proxy ${proxyHost(member.proxy)} works again`);
      Object.assign(member, { failures: 0, silences: 0, restsUntil: 0 });
      return;
    }
    if (problem === 'silent') member.silences++;
    if (problem !== 'dead' && member.silences < MOST_SILENCES) return;
    const now = performance.now();
    // Requests that were under way fail together: they count once.
    if (member.failures > 0 && member.restsUntil - now > restOf(member.failures) / 2) return;
    member.failures++;
    member.silences = 0;
    const rest = restOf(member.failures);
    member.restsUntil = now + rest;
    const { message } = ended as HttpFault;
    this.#info(`the proxy ${proxyHost(member.proxy)} rests for ${rest / 1000} s: ${message}`);
  }

  #noneLeft(last: HttpFault | undefined): HttpFault {
    const { length } = this.#members;
    const reason = last === undefined ? '' : `; the last one: ${last.message}`;
    const message = `none of the ${length} proxies of ${this.#from} can be used${reason}`;
    return { code: 'CONNECTION', message, again: 'always', route: 'none' };
  }
}

/** Problem with a proxy: unusable, refusing one target, without an answer, or a connection that broke. */
type Problem = 'dead' | 'refused' | 'silent' | 'broken';

function problemOf(ended: Answer | HttpFault, { peer }: Route): Problem | undefined {
  if (!isFault(ended)) return undefined;
  if (ended.route !== undefined && ended.route !== 'none') return ended.route;
  if (peer !== undefined && ended.again === 'always') return 'dead';
  if (peer !== undefined && ended.code === 'TIMEOUT') return 'silent';
  return ended.code === 'CONNECTION' && ended.again === 'idempotent' ? 'broken' : undefined;
}

function restOf(failures: number): number {
  return Math.min(LONGEST_REST, FIRST_REST * 2 ** (failures - 1));
}
