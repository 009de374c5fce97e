import * as oauth from 'oauth4webapi';
import { TaskpipeError } from '../../../core/base/errors.ts';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import { parseTarget } from '../request/target.ts';
import { isFault } from '../transport/answer.ts';
import type { Client } from '../transport/client.ts';
import { FaultError, type HttpFault } from '../transport/http-failure.ts';
import { Deadline } from '../transport/request-deadline.ts';
import type { OAuth2Settings } from './oauth2-file.ts';

/** Answer of a token endpoint. */
export interface Grant {
  readonly token: string;
  /** Life of the token, in milliseconds; undefined if the server does not say. */
  readonly life: number | undefined;
  /** Refresh token that replaces the one that was used. */
  readonly refreshToken: string | undefined;
}

/** Longest time of a request to the token endpoint, in milliseconds. */
const TIMEOUT = 30_000;

/** Errors that may be over soon (RFC 6749, 4.1.2.1; RFC 8628, 3.5). */
const TEMPORARY: ReadonlySet<string> = new Set(['temporarily_unavailable', 'server_error', 'slow_down']);

/**
 * Asks the token endpoint for a token, by the refresh token if there is one, else by the credentials of the client.
 * @param signal ends the request
 * @returns a fault `TOKEN` if the endpoint is not available for now
 * @throws {RefusedGrant} if it refuses
 */
export async function askForToken(
  settings: OAuth2Settings,
  client: Client,
  signal: AbortSignal,
): Promise<Grant | HttpFault> {
  const { tokenUrl, refreshToken, parameters } = settings;
  const server = { issuer: new URL(tokenUrl).origin, token_endpoint: tokenUrl };
  const identity = { client_id: settings.clientId };
  const options = {
    [oauth.customFetch]: fetchBy(client, signal),
    [oauth.allowInsecureRequests]: tokenUrl.startsWith('http:'),
  };
  try {
    const made =
      refreshToken === undefined
        ? await oauth
            .clientCredentialsGrantRequest(server, identity, authOf(settings), { ...parameters }, options)
            .then((response) => oauth.processClientCredentialsResponse(server, identity, response))
        : await oauth
            .refreshTokenGrantRequest(server, identity, authOf(settings), refreshToken, {
              ...options,
              additionalParameters: { ...parameters },
            })
            .then((response) => oauth.processRefreshTokenResponse(server, identity, response));
    const { access_token: token, expires_in: seconds, refresh_token: next } = made;
    return { token, life: seconds === undefined ? undefined : seconds * 1000, refreshToken: next };
  } catch (error) {
    return faultOf(error, settings);
  }
}

/** Error of a token endpoint that refuses: no retry can help. It ends the stage. */
export class RefusedGrant extends TaskpipeError {
  /** Code of RFC 6749, such as `invalid_grant`; `''` if there is none. */
  readonly reason: string;

  constructor(message: string, reason: string) {
    super('IO', message);
    this.reason = reason;
  }
}

function authOf({ clientAuth, clientSecret = '' }: OAuth2Settings): oauth.ClientAuth {
  if (clientAuth === 'none') return oauth.None();
  return clientAuth === 'post' ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret);
}

type Fetch = (url: string, options: oauth.CustomFetchOptions<'POST', URLSearchParams>) => Promise<Response>;

/** Returns the function by which the library sends: by our client, so that proxies and authorities apply. */
function fetchBy(client: Client, signal: AbortSignal): Fetch {
  return async (url, { headers, body }) => {
    const target = parseTarget(url);
    if ('code' in target) throw new TaskpipeError('USAGE', target.message);
    const content = { text: body.toString(), type: 'application/x-www-form-urlencoded' };
    const list = Object.entries(headers).flatMap(([name, value]) =>
      name.toLowerCase() === 'content-type' ? [] : [name, value],
    );
    const trip = new Deadline(TIMEOUT, signal);
    try {
      const hop = { method: 'POST', target, headers: list, content, isForeign: true };
      const answer = await client.send(hop, trip, undefined, false);
      if (isFault(answer)) throw new FaultError(answer);
      const type = String(answer.headers['content-type'] ?? '');
      return new Response(withoutIdToken(answer.body), {
        status: answer.status,
        headers: { 'content-type': type },
      });
    } finally {
      trip.end();
    }
  };
}

/** Removes the identity of a user, which the library would verify, and which is not used. */
function withoutIdToken(body: Buffer): string {
  const text = body.toString();
  try {
    const { id_token: _, ...rest } = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify(rest);
  } catch {
    return text;
  }
}

function faultOf(error: unknown, settings: OAuth2Settings): HttpFault {
  const { origin } = new URL(settings.tokenUrl);
  const failed = `cannot get a token from ${origin} (--oauth2)`;
  if (error instanceof TaskpipeError) throw error;
  if (error instanceof FaultError) {
    const { again, message } = error.fault;
    if (again === 'never') throw new RefusedGrant(`${failed}: ${message}`, '');
    return { code: 'TOKEN', message: `${failed}: ${message}`, again: 'always' };
  }
  if (error instanceof oauth.ResponseBodyError) {
    const { error: reason, error_description: more = '', status } = error;
    const words = shown(more === '' ? reason : `${reason} (${more})`, settings);
    if (status === 429 || status >= 500 || TEMPORARY.has(reason))
      return { code: 'TOKEN', message: `${failed}: ${words}`, again: 'always' };
    throw new RefusedGrant(`${failed}: ${words}`, reason);
  }
  const status = statusOf(error);
  if (status !== undefined && (status === 429 || status >= 500))
    return { code: 'TOKEN', message: `${failed}: it answered ${status}`, again: 'always' };
  const what =
    status === undefined || status === 200 ? 'its answer is not that of OAuth 2' : `it answered ${status}`;
  throw new RefusedGrant(`${failed}: ${what}; check token_url`, '');
}

/** Returns the status of the response that an error of the library is about. */
function statusOf(error: unknown): number | undefined {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Response) return cause.status;
  const { response } = { ...(error as object), ...(cause as object | undefined) } as { response?: unknown };
  return response instanceof Response ? response.status : undefined;
}

/** Returns text of a server without control characters, and without secrets that it repeats. */
function shown(text: string, { clientSecret, refreshToken }: OAuth2Settings): string {
  let left = text;
  for (const secret of [clientSecret, refreshToken]) if (secret) left = left.replaceAll(secret, '…');
  return escapeControls(left.slice(0, 300));
}
