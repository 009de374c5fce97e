import { milliseconds } from '../../../core/options/units.ts';
import type { Answer, AnswerHeaders } from '../transport/answer.ts';
import { millisecondsUntil, serverNow, singleHeader } from './server-time.ts';

/* Rate limits in response headers: RateLimit (drafts of the IETF, old and new), RateLimit-* and X-RateLimit-*. */

/** Names of two older headers. */
interface Family {
  readonly remaining: string;
  readonly reset: string;
}

/**
 * Families of older headers, the best known first. The names are precomputed, because building them for each answer
 * takes time.
 */
const FAMILIES: readonly Family[] = ['ratelimit', 'x-ratelimit', 'x-rate-limit'].map((family) => ({
  remaining: `${family}-remaining`,
  reset: `${family}-reset`,
}));

/** Seconds from which a reset is a time since 1970, not a wait: 30 years. */
const EPOCH = 1e9;

/**
 * Returns the time until a used-up limit is reset, in milliseconds; undefined if no limit is used up, or no used-up
 * limit has the time of its reset.
 */
export function usedUpFor(answer: Answer): number | undefined {
  const { headers } = answer;
  if (answer.isStored === true) return undefined; // the headers are from the time when the answer was stored
  const listed = headers.ratelimit === undefined ? undefined : structured(headers, true);
  if (listed !== undefined) return listed;
  for (const family of FAMILIES) {
    const remaining = headers[family.remaining];
    if (remaining === undefined) continue;
    const left = singleHeader(remaining) as string;
    return /^[\d.]+$/.test(left) && Number(left) === 0 ? resetOf(headers, family) : undefined;
  }
  return undefined;
}

/** Returns the time until the limit of a refused request is reset, in milliseconds. */
export function limitReset({ headers }: Answer): number | undefined {
  const listed = headers.ratelimit === undefined ? undefined : structured(headers, false);
  if (listed !== undefined) return listed;
  const family = FAMILIES.find(({ reset }) => headers[reset] !== undefined);
  return family === undefined ? undefined : resetOf(headers, family);
}

/**
 * Reads `RateLimit: "default";r=0;t=30` and the older `limit=10, remaining=0, reset=30`. Without `t`, the window `w` of
 * the policy of that name counts.
 * @param onlyUsedUp whether limits with something left are ignored
 */
function structured(headers: AnswerHeaders, onlyUsedUp: boolean): number | undefined {
  const text = [headers.ratelimit ?? []].flat().join(', ');
  const [, remaining] = /(?:^|,)\s*remaining=(\d+)/.exec(text) ?? [];
  const [, reset] = /(?:^|,)\s*reset=(\d+)/.exec(text) ?? [];
  if (reset !== undefined) return onlyUsedUp && remaining !== '0' ? undefined : wait(Number(reset));
  const waits = text.split(',').flatMap((item) => {
    const [, left] = /;\s*r=(\d+)/.exec(item) ?? [];
    if (onlyUsedUp && left !== '0') return [];
    const [, time = windowOf(headers, item)] = /;\s*t=(\d+)/.exec(item) ?? [];
    return time === undefined ? [] : [Number(time)];
  });
  return waits.length === 0 ? undefined : wait(Math.max(...waits));
}

/** Returns the window of the policy that an item of `RateLimit` names, in seconds. */
function windowOf(headers: AnswerHeaders, item: string): string | undefined {
  const name = (item.split(';', 1)[0] as string).trim();
  const policies = [headers['ratelimit-policy'] ?? []].flat().join(', ').split(',');
  const policy = policies.find((one) => (one.split(';', 1)[0] as string).trim() === name);
  return policy === undefined ? undefined : /;\s*w=(\d+)/.exec(policy)?.[1];
}

function resetOf(headers: AnswerHeaders, { reset }: Family): number | undefined {
  return resetTime(singleHeader(headers[reset]), headers);
}

/** Returns the time until a reset that a header names, in milliseconds: seconds, a time, or a duration such as `6m0s`. */
export function resetTime(text: string | undefined, headers: AnswerHeaders): number | undefined {
  if (text === undefined) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length > 0 && parts.map(([part]) => part).join('') === text)
    return parts.reduce((sum, [part]) => sum + (milliseconds(part) as number), 0);
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return wait((Date.parse(text) - serverNow(headers)) / 1000);
  if (!/^\d+(\.\d+)?$/.test(text)) return millisecondsUntil(text, headers);
  const seconds = Number(text) > EPOCH * 1000 ? Number(text) / 1000 : Number(text);
  return wait(seconds > EPOCH ? seconds - serverNow(headers) / 1000 : seconds);
}

/** Returns seconds as milliseconds; undefined if there is nothing to wait for. */
function wait(seconds: number): number | undefined {
  return seconds > 0 ? Math.ceil(seconds * 1000) : undefined;
}
