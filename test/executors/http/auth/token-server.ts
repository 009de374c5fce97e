import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type Seen, serve, type TestServer } from '../../../support/http-server.ts';

export interface TokenServerOptions {
  /** Life of a token, in milliseconds. */
  readonly life?: number;
  /** Life that the server states, in seconds. Default: the real one; null states none. */
  readonly stated?: number | null;
  /** True if each refresh token is valid for one use. */
  readonly rotates?: boolean;
  /** True if answers take a while, so that requests of several processes meet. */
  readonly isSlow?: boolean;
  /**
   * Answers instead of the server. Returns true if it has answered. @param count requests for tokens so far, from 1
   */
  answer?(response: ServerResponse, count: number, seen: Seen): boolean;
}

/** Token endpoint at `/token`, and an API at all other paths, which requires a token that has not expired. */
export interface TokenServer extends TestServer {
  /** Forms that the endpoint received. */
  readonly asked: readonly Readonly<Record<string, string>>[];
  /** Statuses of the API. */
  readonly statuses: readonly number[];
  /** Every token that was issued. */
  readonly tokens: readonly string[];
  /** Makes all tokens expire. */
  revoke(): void;
}

/** Serves OAuth 2 for the client `me` with the secret `hush`, and the refresh token `first`. */
export async function serveTokens(options: TokenServerOptions = {}): Promise<TokenServer> {
  const { life = 3_600_000, rotates = false } = options;
  const { stated = life / 1000 } = options;
  const ends = new Map<string, number>();
  const asked: Record<string, string>[] = [];
  const statuses: number[] = [];
  const tokens: string[] = [];
  let refresh = 'first';
  const give = (response: ServerResponse, seen: Seen): void => {
    const form = Object.fromEntries(new URLSearchParams(seen.body));
    asked.push(form);
    if (options.answer?.(response, asked.length, seen)) return;
    const basic = `Basic ${Buffer.from('me:hush').toString('base64')}`;
    const isMe = seen.headers.authorization === basic || form.client_secret === 'hush';
    response.setHeader('content-type', 'application/json');
    if (!isMe) {
      response.statusCode = 401;
      response.end('{"error":"invalid_client","error_description":"unknown secret hush"}');
    } else if (form.grant_type === 'refresh_token' && form.refresh_token !== refresh) {
      response.statusCode = 400;
      response.end('{"error":"invalid_grant"}');
    } else {
      const token = `token-${randomBytes(8).toString('hex')}`;
      tokens.push(token);
      ends.set(token, Date.now() + life);
      if (rotates) refresh = `refresh-${randomBytes(8).toString('hex')}`;
      if (rotates) tokens.push(refresh);
      const more = rotates ? { refresh_token: refresh } : {};
      const expires = stated === null ? {} : { expires_in: stated };
      const text = JSON.stringify({ access_token: token, token_type: 'Bearer', ...expires, ...more });
      setTimeout(() => response.end(text), options.isSlow === true ? 100 : 0);
    }
  };
  const server = await serve((response, seen) => {
    if (seen.url === '/token') return give(response, seen);
    const end = ends.get((seen.headers.authorization ?? '').replace('Bearer ', '')) ?? 0;
    response.statusCode = Date.now() < end ? 200 : 401;
    statuses.push(response.statusCode);
    response.end('{"ok":true}');
  });
  return Object.assign(server, { asked, statuses, tokens, revoke: () => ends.clear() });
}
