import type { Task } from '../../core/record/task.ts';
import type { Attempt, Outcome } from '../contract.ts';
import type { Request } from './request/build-request.ts';
import { type HttpRequest, isRedirect, nextHop } from './request/redirect.ts';
import type { Again, Judge } from './response/http-outcome.ts';
import { isIdempotent } from './response/retry-after.ts';
import { isFault } from './transport/answer.ts';
import type { Client } from './transport/client.ts';
import type { HttpFault } from './transport/http-failure.ts';
import { Deadline } from './transport/request-deadline.ts';

/** Settings of all attempts. */
export interface RequestLoop {
  readonly client: Client;
  readonly judge: Judge;
  readonly follow: number;
  /** Names of user headers that cross origins, in lower case. */
  readonly keeps: ReadonlySet<string>;
  /** True if the uuid is sent as `Idempotency-Key`. */
  readonly sendsKey: boolean;
}

/** Returns the value of `Idempotency-Key`. */
export function keyOf({ sendsKey }: Pick<RequestLoop, 'sendsKey'>, uuid: string): string | undefined {
  return sendsKey ? uuid : undefined;
}

/** Sends a request and follows redirects. */
export async function requestLoop(
  visitor: RequestLoop,
  task: Task,
  request: Request,
  attempt: Attempt,
): Promise<Outcome> {
  const { client, judge, follow, keeps, sendsKey } = visitor;
  const key = keyOf(visitor, task.uuid);
  const mayRepeat = sendsKey || isIdempotent(request.method);
  const trip = new Deadline(request.timeout, attempt.signal);
  let hop: HttpRequest = request;
  let hasActed = false;
  try {
    for (let redirects = 0; ; redirects++) {
      const answer = await client.send(hop, trip, key, redirects < follow);
      if (isFault(answer)) return failed(answer, { mayRepeat, hasActed });
      if (follow === 0 || !isRedirect(answer.status, answer.headers)) {
        return judge(task, hop, answer, { mayRepeat, hasActed });
      }
      const next = redirects < follow ? nextHop(hop, answer, keeps) : tooMany(follow, hop);
      if (isFault(next)) {
        const { result: text } = await judge(task, hop, answer, { mayRepeat, hasActed });
        return { ...(text === undefined ? {} : { result: text }), ...failed(next, { mayRepeat, hasActed }) };
      }
      // A redirect that turns a request into a GET means that the server acted; one that repeats it means
      // that it did not.
      hasActed ||= next.method !== hop.method;
      hop = next;
    }
  } finally {
    trip.end();
  }
}

function tooMany(follow: number, { target }: HttpRequest): HttpFault {
  const message = `more than ${follow} redirects; the last one was from ${target.host} (--follow)`;
  return { code: 'REDIRECTS', message, again: 'never' };
}

function failed({ code, message, again }: HttpFault, { mayRepeat, hasActed }: Again): Outcome {
  const isSafe = again === 'idempotent' ? mayRepeat : again === 'always' && (mayRepeat || !hasActed);
  return isSafe ? { error: { code, message }, retry: {} } : { error: { code, message } };
}
