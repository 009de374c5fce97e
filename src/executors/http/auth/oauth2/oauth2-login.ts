import { setTimeout as sleep } from 'node:timers/promises';
import { mergeHeaders } from '../../request/headers.ts';
import { isFault } from '../../transport/answer.ts';
import type { Client } from '../../transport/client.ts';
import type { HttpFault } from '../../transport/http-failure.ts';
import type { Deadline } from '../../transport/request-deadline.ts';
import type { Login } from '../login.ts';
import { keepRefreshToken, latestRefreshToken, type OAuth2Settings, openOAuth2File } from './oauth2-file.ts';
import { askForToken, type Grant, RefusedGrant, tokenFault } from './oauth2-grant.ts';
import { withLock } from './oauth2-lock.ts';

/**
 * Maximum remaining life at which a token is renewed, in milliseconds. A short-lived token is renewed in the last
 * quarter of its life.
 */
const EARLY = 30_000;

/** Time for which a token endpoint that is not available is not asked again, in milliseconds. Lanes pause for longer. */
const REST = 400;

/** Time in which another program that has replaced the refresh token writes it to the file, in milliseconds. */
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

/** Opens `--oauth2 FILE`. @param info called with messages for people @throws {TaskpipeError} `IO`, `USAGE` */
export async function openOAuth2(file: string, info: (message: string) => void): Promise<OAuth2Login> {
  const { settings, place } = await openOAuth2File(file);
  const isLost = (): void =>
    info(
      `--oauth2 ${file}: the server replaced the refresh token, and the new one is not stored, since this is a pipe; if the next run is refused, give a file`,
    );
  const tokens = new Tokens({ settings, place, info, isLost });
  /** Waits for a token, no longer than an attempt may last. The wait is for the token endpoint, not for the target. */
  const waitFor = async (
    trip: Deadline,
    going: Promise<AccessToken | HttpFault>,
  ): Promise<AccessToken | HttpFault> => {
    const got = await trip.wait(going);
    return got === trip.over && isFault(got) && got.code === 'TIMEOUT'
      ? tokenFault(settings, 'it does not answer in the time of the task (--timeout)')
      : got;
  };
  /** Origins that rejected a freshly renewed token: another renewal would not help. */
  const rejecting = new Set<string>();
  return {
    tokenUrl: settings.tokenUrl,
    identity: `OAuth2 ${settings.tokenUrl} ${settings.clientId} ${JSON.stringify(settings.parameters)} ${tokens.owner}`,
    curl: () => ['-H', '"Authorization: Bearer $ACCESS_TOKEN"'],
    useClient: (client) => tokens.useClient(client),
    close: () => tokens.close(),
    async send(hop, headers, trip, send) {
      const { origin } = hop.target;
      const token = await waitFor(trip, tokens.current());
      if (isFault(token)) return token;
      const answer = await send(hop, mergeHeaders(headers, bearer(token)));
      if (isFault(answer)) return answer;
      if (answer.status !== 401) rejecting.delete(origin);
      if (answer.status !== 401 || rejecting.has(origin)) return answer;
      const next = await waitFor(trip, tokens.insteadOf(token));
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

/** State that `Tokens` starts with. */
interface TokensOptions {
  readonly settings: OAuth2Settings;
  /** Path to store new refresh tokens at; undefined if they cannot be stored. */
  readonly place: string | undefined;
  readonly info: (message: string) => void;
  /** Called when a new refresh token cannot be stored. */
  readonly isLost: () => void;
}

/** Token that all tasks share. One renewal is under way at a time. */
class Tokens {
  /** Text that identifies the owner of the refresh token; it stays the same when the token is replaced. */
  readonly owner: string;
  readonly #place: string | undefined;
  readonly #info: (message: string) => void;
  #isLost: (() => void) | undefined;
  readonly #closing = new AbortController();
  #settings: OAuth2Settings;
  #client: Client | undefined;
  #token: AccessToken | undefined;
  #going: Promise<AccessToken | HttpFault> | undefined;
  #failed: { readonly fault: HttpFault; readonly at: number } | undefined;

  constructor({ settings, place, info, isLost }: TokensOptions) {
    this.#place = place;
    this.#info = info;
    this.#isLost = isLost;
    this.#settings = settings;
    this.owner = settings.refreshToken ?? '';
  }

  useClient(client: Client): void {
    this.#client = client;
  }

  close(): void {
    this.#closing.abort();
  }

  /** Returns a valid token. Renews a token that expires soon; if that fails, uses the token until it expires. */
  async current(): Promise<AccessToken | HttpFault> {
    const token = this.#token;
    const now = Date.now();
    if (token !== undefined && now < token.renewAt) return token;
    const renewed = await this.#renewed();
    return isFault(renewed) && token !== undefined && Date.now() < token.endsAt ? token : renewed;
  }

  /** Returns a token other than the one that a server rejected. */
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
    const grant = await this.#locked(() => this.#granted());
    this.#failed = isFault(grant) ? { fault: grant, at: Date.now() } : undefined;
    return grant;
  }

  /** Runs a renewal while no other process renews by the same refresh token. */
  async #locked(renew: () => Promise<AccessToken | HttpFault>): Promise<AccessToken | HttpFault> {
    const place = this.#place;
    if (this.#settings.refreshToken === undefined || place === undefined) return renew();
    const renewed = await withLock(place, this.#closing.signal, this.#info, renew);
    return (
      renewed ?? tokenFault(this.#settings, `another process renews the token of ${place} and does not end`)
    );
  }

  async #granted(): Promise<AccessToken | HttpFault> {
    const began = Date.now();
    const grant = await this.#grant();
    if (isFault(grant)) return grant;
    const { token: text, life = Number.POSITIVE_INFINITY, refreshToken } = grant;
    const endsAt = began + life;
    this.#token = { text, endsAt, renewAt: endsAt - Math.min(EARLY, life / 4) };
    const used = this.#settings.refreshToken; // without a refresh token, the credentials of the client are sent
    if (used !== undefined && refreshToken !== undefined && refreshToken !== used)
      await this.#keep(refreshToken);
    return this.#token;
  }

  async #keep(refreshToken: string): Promise<void> {
    this.#settings = { ...this.#settings, refreshToken };
    if (this.#place !== undefined) return keepRefreshToken(this.#place, refreshToken);
    this.#isLost?.();
    this.#isLost = undefined;
  }

  /** Asks for a token. A refresh token that is refused may have been replaced by another program meanwhile. */
  async #grant(): Promise<Grant | HttpFault> {
    const client = this.#client as Client;
    const ask = (): Promise<Grant | HttpFault> => askForToken(this.#settings, client, this.#closing.signal);
    const { refreshToken } = this.#settings;
    if (refreshToken === undefined || this.#place === undefined) return ask();
    if (await this.#hasOther(this.#place, refreshToken)) return ask();
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RefusedGrant) || error.reason !== 'invalid_grant') throw error;
      await sleep(SETTLE);
      if (!(await this.#hasOther(this.#place, refreshToken))) throw error;
      return ask();
    }
  }

  /** Takes the refresh token of the file. Returns false if it is the same as before. */
  async #hasOther(place: string, used: string): Promise<boolean> {
    const refreshToken = await latestRefreshToken(place);
    if (refreshToken === undefined || refreshToken === used) return false;
    this.#settings = { ...this.#settings, refreshToken };
    return true;
  }
}
