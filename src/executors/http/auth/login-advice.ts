import type { HttpOptions } from '../options.ts';
import { headerValue } from '../request/headers.ts';
import type { HttpRequest } from '../request/redirect.ts';
import type { Answer } from '../transport/answer.ts';
import { challengesIn } from './digest-challenge.ts';

/** Ways of `--auth`, by the name of their challenge. */
const WAYS: ReadonlySet<string> = new Set(['basic', 'digest', 'bearer']);

/**
 * Returns advice for the message of a 401: the login that the server asks for, if the request used another one or
 * none.
 * @returns '' if there is nothing to advise
 */
export function loginAdvice(
  { status, headers }: Answer,
  hop: HttpRequest,
  { auth, netrc, logins, oauth2, awsSigv4 }: HttpOptions,
): string {
  if (status !== 401 || [netrc, logins, oauth2, awsSigv4].some((one) => one !== undefined)) return '';
  const asked = challengesIn(headers['www-authenticate']).map(([scheme]) => scheme);
  const ways = [...new Set(asked)].filter((scheme) => WAYS.has(scheme));
  const [own] = headerValue(hop.headers, 'authorization')?.toLowerCase().split(' ') ?? [auth];
  if (ways.length === 0 || ways.includes(own ?? '')) return '';
  return ` (the server asks for ${ways.map((way) => `--auth ${way}`).join(' or ')})`;
}
