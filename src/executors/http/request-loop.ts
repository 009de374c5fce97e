import type { Task } from '../../core/record/task.ts';
import type { Attempt, Move, Outcome, ToldLimit } from '../contract.ts';
import type { Request } from './request/build-request.ts';
import { type HttpRequest, isRedirect, nextHop } from './request/redirect.ts';
import type { Again, Judge } from './response/http-outcome.ts';
import { isIdempotent } from './response/retry-after.ts';
import type { HeldBack, RobotsGate } from './robots/index.ts';
import { type Answer, isFault } from './transport/answer.ts';
import type { Client } from './transport/client.ts';
import type { HttpFault } from './transport/http-failure.ts';
import { Deadline } from './transport/request-deadline.ts';

/** Settings of all attempts. */
export interface RequestLoop {
  readonly client: Client;
  readonly judge: Judge;
  readonly follow: number;
  /** Gate that holds back requests that robots.txt disallows or delays. Default: it is not read. */
  readonly robots?: RobotsGate | undefined;
  /** Returns the time for which an answer pauses its host. Default: it does not. */
  readonly pauseOf?: ((answer: Answer) => number | undefined) | undefined;
  /** Names of user headers that cross origins, in lower case. */
  readonly keeps: ReadonlySet<string>;
  /** True to follow the first of several locations of a redirect. */
  readonly lenient: boolean;
  /** Longest time without a byte, in milliseconds. */
  readonly idle?: number | undefined;
  /** Returns the limits in an answer. Default: limits are ignored. */
  readonly toldBy?: ((answer: Answer) => readonly ToldLimit[]) | undefined;
  /** Returns the url to which a page leads. Default: pages are not followed. */
  readonly metaOf?: ((answer: Answer, url: string) => string | undefined) | undefined;
  /** True if the result has the chain of redirects. */
  readonly keepsRedirects?: boolean;
  /** True if the uuid is sent as `Idempotency-Key`. */
  readonly sendsKey: boolean;
}

/** Returns the value of `Idempotency-Key`. */
export function keyOf({ sendsKey }: Pick<RequestLoop, 'sendsKey'>, uuid: string): string | undefined {
  return sendsKey ? uuid : undefined;
}

/** Place of a task on its way through redirects. */
interface Journey {
  readonly hop: HttpRequest;
  /** True if a server has acted, before a redirect. */
  readonly hasActed: boolean;
  /** Time that is left, in milliseconds. */
  readonly left: number;
  /** Redirects so far, as JSON texts. */
  readonly chain: readonly string[];
}

/** Sends a request and follows redirects. Each further request waits for the lane of its host, if the stage has lanes. */
export function requestLoop(
  visitor: RequestLoop,
  task: Task,
  request: Request,
  attempt: Attempt,
): Promise<Outcome> {
  const start = { hop: request, hasActed: false, left: request.timeout, chain: NONE };
  return travel(visitor, task, request, start, attempt);
}

const NONE: readonly string[] = [];

async function travel(
  visitor: RequestLoop,
  task: Task,
  request: Request,
  start: Journey,
  attempt: Attempt,
): Promise<Outcome> {
  const { client, follow, judge } = visitor;
  const key = keyOf(visitor, task.uuid);
  const mayRepeat = visitor.sendsKey || isIdempotent(request.method);
  const trip = new Deadline(request.timeout, attempt.signal, start.left, visitor.idle);
  const began = performance.now();
  let { hop, hasActed, chain } = start;
  const movedTo = (lane: string): Pick<Outcome, 'moved'> => {
    const left = Math.max(1, start.left - (performance.now() - began));
    const rest: Journey = { hop, hasActed, left, chain };
    const goOn: Move['goOn'] = (later) => travel(visitor, task, request, rest, later);
    return { moved: { lane, goOn } };
  };
  try {
    for (;;) {
      if (visitor.robots !== undefined) {
        const held = await admitted(visitor.robots, hop, attempt, trip);
        if (held !== undefined && 'outcome' in held) return held.outcome;
        if (held !== undefined) return { ...movedTo(hop.target.origin), pause: held.wait };
      }
      const answer = await client.send(hop, trip, key, chain.length < follow);
      const again: Again = { mayRepeat, hasActed };
      if (isFault(answer)) return failed(answer, again);
      const pause = visitor.pauseOf?.(answer);
      const next = nextOf(visitor, hop, answer, chain.length);
      if (next === undefined)
        return withTold(visitor, answer, ended(visitor, judge(task, hop, answer, again), chain, pause));
      if (isFault(next)) {
        const { result } = await judge(task, hop, answer, again);
        return ended(visitor, { ...(result && { result }), ...failed(next, again) }, chain, pause);
      }
      chain = [...chain, redirectText(hop, answer)];
      // If a redirect turns a request into a GET, the server has acted; if a redirect repeats the request, it has not.
      hasActed ||= next.method !== hop.method;
      hop = next;
      if (attempt.mayMove !== true) continue;
      return { ...movedTo(hop.target.origin), ...(pause !== undefined && { pause }) };
    }
  } finally {
    trip.end();
  }
}

/** Asks the robots.txt gate. Waits here only if the attempt cannot wait in a lane. */
async function admitted(
  gate: RobotsGate,
  hop: HttpRequest,
  attempt: Attempt,
  trip: Deadline,
): Promise<HeldBack | undefined> {
  for (;;) {
    const held = await gate(hop, attempt);
    if (held === undefined || 'outcome' in held || attempt.mayMove === true) return held;
    if (trip.over !== undefined) return undefined; // the client reports the reason
    await new Promise((resolve) => setTimeout(resolve, Math.min(held.wait, 100)));
  }
}

/** Returns the request that an answer leads to, or the fault of a redirect; undefined if it is not a redirect. */
function nextOf(
  { follow, keeps, lenient, metaOf }: RequestLoop,
  hop: HttpRequest,
  answer: Answer,
  redirects: number,
): HttpRequest | HttpFault | undefined {
  if (follow === 0) return undefined;
  if (isRedirect(answer.status, answer.headers))
    return redirects < follow ? nextHop(hop, answer, keeps, lenient) : tooMany(follow, hop);
  const location = metaOf?.(answer, hop.target.href);
  if (location === undefined) return undefined;
  const seeOther = { ...answer, status: 303, headers: { location } };
  return redirects < follow ? nextHop(hop, seeOther, keeps) : tooMany(follow, hop);
}

/** Returns a redirect for the result. */
function redirectText({ target }: HttpRequest, { status }: Answer): string {
  const meta = status < 300 ? ',"meta":true' : '';
  return `{"status":${status},"url":${JSON.stringify(target.href)}${meta}}`;
}

/** Returns the outcome with the chain of redirects and a pause of the lane. */
function ended(
  { keepsRedirects = false }: RequestLoop,
  outcome: Outcome | Promise<Outcome>,
  chain: readonly string[],
  pause: number | undefined,
): Outcome | Promise<Outcome> {
  if (pause === undefined && !keepsRedirects) return outcome;
  return Promise.resolve(outcome).then((made) => {
    const { result, retry } = made;
    const more = `,"redirects":[${chain.join(',')}]}`;
    return {
      ...made,
      ...(keepsRedirects && result !== undefined && { result: result.slice(0, -1) + more }),
      // A refusal already pauses the lane.
      ...(pause !== undefined && retry?.pauseLane !== true && { pause }),
    };
  });
}

/** Returns the outcome with the limits in the answer, if limits are followed. */
function withTold(
  { toldBy }: RequestLoop,
  answer: Answer,
  outcome: Outcome | Promise<Outcome>,
): Outcome | Promise<Outcome> {
  if (toldBy === undefined) return outcome;
  const told = toldBy(answer);
  return told.length === 0 ? outcome : Promise.resolve(outcome).then((made) => ({ ...made, told }));
}

function tooMany(follow: number, { target }: HttpRequest): HttpFault {
  const message = `more than ${follow} redirects; the last one was from ${target.host} (--follow)`;
  return { code: 'REDIRECTS', message, again: 'never' };
}

function failed({ code, message, again, pausesLane }: HttpFault, { mayRepeat, hasActed }: Again): Outcome {
  const isSafe = again === 'idempotent' ? mayRepeat : again === 'always' && (mayRepeat || !hasActed);
  if (!isSafe) return { error: { code, message } };
  return { error: { code, message }, retry: pausesLane === true ? { pauseLane: true } : {} };
}
