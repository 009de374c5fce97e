import { setTimeout as sleep } from 'node:timers/promises';
import { mergeHeaders } from '../request/headers.ts';
import { isFault } from '../transport/answer.ts';
import type { Client } from '../transport/client.ts';
import type { HttpFault } from '../transport/http-failure.ts';
import type { Login } from './login.ts';
import { keepRefreshToken, latestRefreshToken, type OAuth2Settings, readOAuth2File } from './oauth2-file.ts';
import { askForToken, type Grant, RefusedGrant } from './oauth2-grant.ts';

/** Longest time before its end at which a token is renewed, in milliseconds. A short life has a quarter of it. */
const EARLY = 30_000;

/** Time for which a token endpoint that is not available is not asked again, in milliseconds. */
const REST = 1000;

/** Time in which another process that has replaced the refresh token writes it to the file, in milliseconds. */
const SETTLE = 500;

/** Access token. Times are those of `Date.now()`, which also counts while the machine sleeps. */
interface AccessToken {
  readonly text: string;
  readonly renewAt: number;
  readonly endsAt: number;
}

/** Login by OAuth 2, whose tokens are renewed. */
export interface OAuth2Login extends Login {
  /** Url of the token endpoint. */
  readonly tokenUrl: string;
  /** Sets the client that asks for tokens. */
  useClient(client: Client): void;
  /** Ends a renewal that is under way. */
  close(): void;
}

/** Opens `--oauth2 FILE`. @throws {TaskpipeError} `IO`, `USAGE` */
export async function openOAuth2(file: string): Promise<OAuth2Login> {
  const settings = await readOAuth2File(file);
  const tokens = new Tokens(file, settings);
  /** Origins that rejected a token that had just been renewed: another renewal would not help. */
  const rejecting = new Set<string>();
  return {
    tokenUrl: settings.tokenUrl,
    identity: `OAuth2 ${settings.tokenUrl} ${settings.clientId} ${JSON.stringify(settings.parameters)} ${tokens.owner}`,
    curl: () => ['-H', '"Authorization: Bearer $ACCESS_TOKEN"'],
    useClient: (client) => tokens.useClient(client),
    close: () => tokens.close(),
    async send(hop, headers, trip, send) {
      const { origin } = hop.target;
      const token = await trip.wait(tokens.current());
      if (isFault(token)) return token;
      const answer = await send(hop, mergeHeaders(headers, bearer(token)));
      if (isFault(answer)) return answer;
      if (answer.status !== 401) rejecting.delete(origin);
      if (answer.status !== 401 || rejecting.has(origin)) return answer;
      const next = await trip.wait(tokens.insteadOf(token));
      await answer.file?.discard();
      if (isFault(next)) return next;
      const second = await send(hop, mergeHeaders(headers, bearer(next)));
      if (!isFault(second) && second.status === 401) rejecting.add(origin);
      return second;
    },
  };
}

function bearer({ text }: AccessToken): readonly string[] {
  return ['Authorization', `Bearer ${text}`];
}

/** Token that all tasks share. One renewal is under way at a time. */
class Tokens {
  /** Text that tells the owners of refresh tokens apart; it stays the same when the token is replaced. */
  readonly owner: string;
  readonly #file: string;
  readonly #closing = new AbortController();
  #settings: OAuth2Settings;
  #client: Client | undefined;
  #token: AccessToken | undefined;
  #going: Promise<AccessToken | HttpFault> | undefined;
  #failed: { readonly fault: HttpFault; readonly at: number } | undefined;

  constructor(file: string, settings: OAuth2Settings) {
    this.#file = file;
    this.#settings = settings;
    this.owner = settings.refreshToken ?? '';
  }

  useClient(client: Client): void {
    this.#client = client;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Returns a valid token. One that ends soon is renewed; if that fails, it is used up to its end. */
  async current(): Promise<AccessToken | HttpFault> {
    const token = this.#token;
    const now = Date.now();
    if (token !== undefined && now < token.renewAt) return token;
    const renewed = await this.#renewed();
    return isFault(renewed) && token !== undefined && Date.now() < token.endsAt ? token : renewed;
  }

  /** Returns another token than one that a server rejected. */
  async insteadOf(rejected: AccessToken): Promise<AccessToken | HttpFault> {
    const token = this.#token;
    return token !== undefined && token !== rejected ? token : this.#renewed();
  }

  async #renewed(): Promise<AccessToken | HttpFault> {
    const failed = this.#failed;
    if (this.#going === undefined && failed !== undefined && Date.now() - failed.at < REST)
      return failed.fault;
    this.#going ??= this.#renew().finally(() => {
      this.#going = undefined;
    });
    return this.#going;
  }

  async #renew(): Promise<AccessToken | HttpFault> {
    const began = Date.now();
    const grant = await this.#grant();
    this.#failed = isFault(grant) ? { fault: grant, at: Date.now() } : undefined;
    if (isFault(grant)) return grant;
    const { token: text, life = Number.POSITIVE_INFINITY, refreshToken } = grant;
    const endsAt = began + life;
    this.#token = { text, endsAt, renewAt: endsAt - Math.min(EARLY, life / 4) };
    if (refreshToken !== undefined && refreshToken !== this.#settings.refreshToken) {
      this.#settings = { ...this.#settings, refreshToken };
      await keepRefreshToken(this.#file, refreshToken);
    }
    return this.#token;
  }

  /** Asks for a token. A refresh token that is refused may have been replaced by another process meanwhile. */
  async #grant(): Promise<Grant | HttpFault> {
    const client = this.#client as Client;
    const ask = (): Promise<Grant | HttpFault> => askForToken(this.#settings, client, this.#closing.signal);
    const { refreshToken } = this.#settings;
    if (refreshToken === undefined) return ask();
    if (await this.#hasOther(refreshToken)) return ask();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RefusedGrant) || error.reason !== 'invalid_grant') throw error;
      await sleep(SETTLE);
      if (!(await this.#hasOther(refreshToken))) throw error;
      return ask();
    }
  }

  /** Takes the refresh token of the file. Returns false if it is the same as before. */
  async #hasOther(used: string): Promise<boolean> {
    const refreshToken = await latestRefreshToken(this.#file);
    if (refreshToken === undefined || refreshToken === used) return false;
    this.#settings = { ...this.#settings, refreshToken };
    return true;
  }
}
