import { TaskpipeError } from '../../../core/base/errors.ts';
import { mergeHeaders } from '../request/headers.ts';
import type { Login } from './login.ts';

/** User with a password. */
export interface HttpAccount {
  readonly user: string;
  readonly password: string;
}

/** Returns the login that sends a value of `Authorization` with each request. */
function headerLogin(value: string, words: readonly string[]): Login {
  const header = ['Authorization', value];
  return {
    identity: value,
    send: (hop, headers, _, send) => send(hop, mergeHeaders(headers, header)),
    curl: () => words,
  };
}

/** Returns the login by Basic (RFC 7617, in UTF-8). @param words for curl */
export function basicLogin({ user, password }: HttpAccount, words: readonly string[]): Login {
  return headerLogin(`Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`, words);
}

/** Returns the login by a bearer token (RFC 6750). @param words for curl */
export function bearerLogin(token: string, words: readonly string[]): Login {
  return headerLogin(`Bearer ${token}`, words);
}

/** Checks a token. @param from its origin, for the message @throws {TaskpipeError} `USAGE` without the token */
export function tokenOf(text: string, from: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new TaskpipeError('USAGE', `${from} must be one token, of printable characters without spaces`);
}

/** Splits `user:password`. @param from its origin, for the message @throws {TaskpipeError} `USAGE` without the text */
export function accountOf(text: string, from: string): HttpAccount {
  const colon = text.indexOf(':');
  if (colon < 0 || /\p{Cc}/u.test(text))
    throw new TaskpipeError('USAGE', `${from} must be user:password, on one line`);
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
