/*
 * The gate of --robots: reads the robots.txt of each origin once, and holds back requests that it disallows or delays. Must not
 * wait itself: that is for the lane of the task.
 */
import type { Attempt, Outcome } from '../../contract.ts';
import { type HttpOptions, MAX_AFTER } from '../options.ts';
import type { RequestDefaults } from '../request/build-request.ts';
import { type HeaderList, headerValue, withoutHeaders } from '../request/headers.ts';
import { type HttpRequest, isCrossing, isRedirect, nextHop } from '../request/redirect.ts';
import { parseTarget, shownUrl, type Target } from '../request/target.ts';
import { type Answer, isFault } from '../transport/answer.ts';
import type { Client } from '../transport/client.ts';
import type { HttpFault } from '../transport/http-failure.ts';
import { Deadline } from '../transport/request-deadline.ts';
import { MAX_ROBOTS, parseRobots, productOf, type RobotsRules } from './robots-rules.ts';

/** Reason that keeps a request from being sent: an outcome of the task, or a time to wait in milliseconds. */
export type HeldBack = { readonly outcome: Outcome } | { readonly wait: number };

/** Function that returns the reason to hold back a request; undefined if it may be sent now. */
export type RobotsGate = (hop: HttpRequest, attempt: Attempt) => Promise<HeldBack | undefined>;

/** State of the robots.txt of an origin. */
interface Entry {
  /** Rules; undefined if everything is allowed; a text if the file cannot be read, so that nothing is allowed. */
  readonly rules: RobotsRules | string | undefined;
  /** Time until which it is valid, by the steady clock. */
  readonly until: number;
}

/** Time for which a file is valid, in milliseconds: 24 h, the maximum of RFC 9309. */
const DAY = 86_400_000;

/** Shortest and longest time for which a file that cannot be read is not asked for again, in milliseconds. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 300_000;

/** Redirects of a robots.txt that are followed (RFC 9309, 2.3.1.2). */
const REDIRECTS = 5;

const NONE: ReadonlySet<string> = new Set();

/** Faults that the task itself would have too, with a message of its own request. */
const SAME: ReadonlySet<string> = new Set(['TLS', 'DENIED', 'HOST_DOWN', 'NOT_RECORDED', 'REDIRECTS']);

/** Opens the gate of `--robots`. @param client client that fetches the files */
export function openRobots(options: HttpOptions, defaults: RequestDefaults, client: Client): RobotsGate {
  const { userAgent = 'taskpipe', maxRetryAfter = MAX_AFTER, cacheMode } = options;
  const headers = withoutHeaders(
    defaults.headers,
    (name) => !isCrossing(name, NONE) || name.startsWith('content-'),
  );
  const entries = new Map<string, Promise<Entry>>();
  const failures = new Map<string, number>();
  /** Earliest time of the next request to an origin with a delay. */
  const next = new Map<string, number>();

  const read = async ({ origin }: Target, signal: AbortSignal): Promise<Entry> => {
    const rules = await rulesOf(origin, { client, headers, timeout: defaults.timeout, signal });
    if (typeof rules !== 'string') {
      failures.delete(origin);
      return { rules, until: performance.now() + DAY };
    }
    const times = failures.get(origin) ?? 0;
    failures.set(origin, times + 1);
    return { rules, until: performance.now() + Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** times) };
  };

  const entryOf = async (target: Target, signal: AbortSignal): Promise<Entry> => {
    for (;;) {
      const known = entries.get(target.origin);
      if (known !== undefined && (await known).until > performance.now()) return known;
      if (entries.get(target.origin) === known) entries.set(target.origin, read(target, signal));
    }
  };

  return async ({ target, headers: own }, { signal }) => {
    const { rules, until } = await entryOf(target, signal);
    if (rules === undefined) return undefined;
    const now = performance.now();
    if (typeof rules === 'string') {
      const message = `${rules}, so that nothing of ${target.host} is fetched for now (--robots)`;
      return { outcome: { error: { code: 'ROBOTS', message }, retry: { after: Math.max(0, until - now) } } };
    }
    const product = productOf(headerValue(own, 'user-agent') ?? userAgent);
    const line = rules.refusal(target.path, product);
    if (line !== undefined) {
      const message = `line ${line} of ${target.origin}/robots.txt disallows ${shownUrl(target.href)} for ${product} (--robots)`;
      return { outcome: { error: { code: 'ROBOTS', message } } };
    }
    const delay = Math.min(rules.delay(product), maxRetryAfter);
    if (delay === 0 || cacheMode === 'replay') return undefined;
    const wait = (next.get(target.origin) ?? 0) - now;
    if (wait > 0) return { wait };
    next.set(target.origin, now + delay);
    return undefined;
  };
}

interface Asking {
  readonly client: Client;
  readonly headers: HeaderList;
  readonly timeout: number;
  readonly signal: AbortSignal;
}

/** Fetches the rules of an origin; undefined if it has none, a text if they cannot be read. */
async function rulesOf(
  origin: string,
  { client, headers, timeout, signal }: Asking,
): Promise<RobotsRules | string | undefined> {
  const target = parseTarget(`${origin}/robots.txt`) as Target;
  const request = { method: 'GET', target, headers, content: undefined, isPublic: true };
  const trip = new Deadline(timeout, signal);
  try {
    const answer = await fetched(client, request, trip);
    if (isFault(answer))
      return SAME.has(answer.code) ? undefined : `${target.href} cannot be read: ${answer.message}`;
    if (answer.status >= 500) return `${target.href} cannot be read: the answer is ${answer.status}`;
    if (answer.status < 200 || answer.status > 299) return undefined;
    return parseRobots(answer.body.toString('utf8', 0, MAX_ROBOTS));
  } finally {
    trip.end();
  }
}

async function fetched(client: Client, first: HttpRequest, trip: Deadline): Promise<Answer | HttpFault> {
  let hop = first;
  for (let redirects = 0; ; redirects++) {
    const answer = await client.send(hop, trip, undefined, redirects < REDIRECTS);
    if (isFault(answer) || redirects === REDIRECTS || !isRedirect(answer.status, answer.headers))
      return answer;
    const to = nextHop(hop, answer, NONE);
    if (isFault(to)) return to;
    hop = { ...to, isPublic: true };
  }
}
