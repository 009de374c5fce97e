import * as oauth from 'oauth4webapi';
import { TaskpipeError } from '../../../../core/base/errors.ts';
import { escapeControls } from '../../../../core/base/terminal-text.ts';
import { parseTarget } from '../../request/target.ts';
import { isFault } from '../../transport/answer.ts';
import type { Client } from '../../transport/client.ts';
import { FaultError, type HttpFault } from '../../transport/http-failure.ts';
import { Deadline } from '../../transport/request-deadline.ts';
import { answerFault, readTokenAnswer, type TokenMembers } from './oauth2-answer.ts';
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

/** Errors that may be temporary (RFC 6749, 4.1.2.1; RFC 8628, 3.5). */
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
  let members: TokenMembers | undefined;
  const options = {
    [oauth.customFetch]: fetchBy(client, signal, (found) => {
      members = found;
    }),
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
    return faultOf(error, settings, members);
  }
}

/** Error of a token endpoint that refuses a token. Retries are useless, so it ends the stage. */
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

/**
 * Returns the function by which the library sends: by our client, so that proxies and authorities apply.
 * @param onAnswer called with the members of the answer
 */
function fetchBy(
  client: Client,
  signal: AbortSignal,
  onAnswer: (members: TokenMembers | undefined) => void,
): Fetch {
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
      const members = readTokenAnswer(answer.body, type);
      onAnswer(members);
      if (members === undefined)
        return new Response(new Uint8Array(answer.body), {
          status: answer.status,
          headers: { 'content-type': type },
        });
      // Slack and GitHub answer errors with 200.
      const isError = answer.status === 200 && typeof members.error === 'string';
      return new Response(JSON.stringify(members), {
        status: isError ? 400 : answer.status,
        headers: { 'content-type': 'application/json' },
      });
    } finally {
      trip.end();
    }
  };
}

/** Returns the fault of an endpoint that is not available. Lanes that need it pause. */
export function tokenFault({ tokenUrl }: OAuth2Settings, why: string): HttpFault {
  return { code: 'TOKEN', message: `${failureOf(tokenUrl)}: ${why}`, again: 'always', pausesLane: true };
}

function failureOf(tokenUrl: string): string {
  return `cannot get a token from ${new URL(tokenUrl).origin} (--oauth2)`;
}

function faultOf(error: unknown, settings: OAuth2Settings, members: TokenMembers | undefined): HttpFault {
  const failed = failureOf(settings.tokenUrl);
  if (error instanceof TaskpipeError) throw error;
  if (error instanceof FaultError) {
    const { again, message } = error.fault;
    if (again === 'never') throw new RefusedGrant(`${failed}: ${message}`, '');
    return tokenFault(settings, message);
  }
  if (error instanceof oauth.ResponseBodyError) {
    const { error: reason, error_description: more = '', status } = error;
    const words = shown(more === '' ? reason : `${reason} (${more})`, settings);
    if (status === 429 || status >= 500 || TEMPORARY.has(reason)) return tokenFault(settings, words);
    throw new RefusedGrant(`${failed}: ${words}`, reason);
  }
  const status = statusOf(error);
  if (status !== undefined && (status === 429 || status >= 500))
    return tokenFault(settings, `it answered ${status}`);
  const what = status === undefined || status === 200 ? answerFault(members) : `it answered ${status}`;
  throw new RefusedGrant(`${failed}: ${shown(what, settings)}; check token_url`, '');
}

/** Returns the status of the response that caused an error of the library. */
function statusOf(error: unknown): number | undefined {
  const { cause } = error as { cause?: unknown };
  if (cause instanceof Response) return cause.status;
  const { response } = { ...(error as object), ...(cause as object | undefined) } as { response?: unknown };
  return response instanceof Response ? response.status : undefined;
}

/** Returns text of a server without control characters, and without the secrets that it quotes. */
function shown(text: string, { clientSecret, refreshToken }: OAuth2Settings): string {
  let left = text;
  for (const secret of [clientSecret, refreshToken]) if (secret) left = left.replaceAll(secret, '…');
  return escapeControls(left.slice(0, 300));
}
