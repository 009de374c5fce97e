import { createHash, randomBytes } from 'node:crypto';
import { type HeaderList, withoutHeaders } from '../request/headers.ts';
import type { HttpRequest } from '../request/redirect.ts';
import { type Answer, isFault } from '../transport/answer.ts';
import { type DigestChallenge, digestChallenge, nextNonce } from './digest-challenge.ts';
import type { HttpAccount } from './header-login.ts';
import type { Login, SendWith } from './login.ts';

/**
 * Maximum number of times that one request is sent: with an old nonce, with a new one, and once more if the new one
 * is stale.
 */
const MOST = 3;

/**
 * Returns the login by Digest (RFC 7616). The first request to an origin is answered with a challenge. A HEAD request
 * gets the challenge for a request with a body, which is then sent only once. Later requests use the nonce of the
 * challenge, so they are sent once.
 * @param words for curl
 */
export function digestLogin(account: HttpAccount, words: readonly string[]): Login {
  const sessions = new Map<string, DigestSession>();
  return {
    identity: `Digest ${account.user}:${account.password}`,
    curl: () => words,
    async send(hop, given, _, send) {
      const headers = withoutHeaders(given, (name) => name === 'authorization');
      const { origin } = hop.target;
      const known = sessions.get(origin);
      let session = known;
      if (known === undefined && hop.content !== undefined) {
        const asked = await challengeFor(hop, headers, send);
        if (isFault(asked)) return asked;
        session = sessionOf(asked, account);
      }
      for (let count = 1; ; count++) {
        const credentials = session === undefined ? [] : ['Authorization', session.credentials(hop)];
        const answer = await send(hop, [...headers, ...credentials]);
        if (isFault(answer)) return answer;
        if (answer.status !== 401) {
          if (session !== undefined) sessions.set(origin, session.after(answer));
          return answer;
        }
        const next = sessionOf(answer, account);
        const isRejected = session !== undefined && session !== known && next?.challenge.isStale !== true;
        if (next === undefined || isRejected || count === MOST) return answer;
        await answer.file?.discard();
        session = next;
      }
    },
  };
}

/** Asks for a challenge without the body. */
function challengeFor(hop: HttpRequest, headers: HeaderList, send: SendWith): ReturnType<SendWith> {
  const bodiless = withoutHeaders(
    headers,
    (name) => name.startsWith('content-') || name === 'idempotency-key',
  );
  return send({ ...hop, method: 'HEAD', content: undefined }, bodiless);
}

function sessionOf(answer: Answer, account: HttpAccount): DigestSession | undefined {
  const challenge = answer.status === 401 ? digestChallenge(answer) : undefined;
  return challenge && new DigestSession(account, challenge);
}

/** Challenge of an origin, with the number of requests that have used its nonce. */
class DigestSession {
  readonly challenge: DigestChallenge;
  readonly #account: HttpAccount;
  #uses = 0;

  constructor(account: HttpAccount, challenge: DigestChallenge) {
    this.#account = account;
    this.challenge = challenge;
  }

  /** Returns the session for the next request, after an answer that accepted this one. */
  after(answer: Answer): DigestSession {
    const nonce = nextNonce(answer);
    return nonce === undefined ? this : new DigestSession(this.#account, { ...this.challenge, nonce });
  }

  /** Returns the value of `Authorization` for a request, and counts it. */
  credentials({ method, target }: HttpRequest): string {
    const { realm, nonce, opaque, algorithm, hasQop } = this.challenge;
    const count = (++this.#uses).toString(16).padStart(8, '0');
    const cnonce = randomBytes(16).toString('hex');
    const second = this.#hash(`${method}:${target.path}`);
    const middle = hasQop ? `${nonce}:${count}:${cnonce}:auth` : nonce;
    const response = this.#hash(`${this.#secret(cnonce)}:${middle}:${second}`);
    const fields = [
      this.#userField(),
      ...[`realm=${quoted(realm)}`, `nonce=${quoted(nonce)}`, `uri=${quoted(target.path)}`],
      ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
      `response="${response}"`,
      ...(hasQop ? ['qop=auth', `nc=${count}`] : []),
      ...(hasQop || this.challenge.isSession ? [`cnonce="${cnonce}"`] : []),
      ...(opaque === undefined ? [] : [`opaque=${quoted(opaque)}`]),
    ];
    return Buffer.from(`Digest ${fields.join(', ')}`).toString('latin1');
  }

  #secret(cnonce: string): string {
    const { realm, nonce, isSession } = this.challenge;
    const first = this.#hash(`${this.#account.user}:${realm}:${this.#account.password}`);
    return isSession ? this.#hash(`${first}:${nonce}:${cnonce}`) : first;
  }

  #userField(): string {
    const { user } = this.#account;
    const { hidesUser, isUtf8, realm } = this.challenge;
    if (hidesUser) return `username="${this.#hash(`${user}:${realm}`)}", userhash=true`;
    if (isUtf8 && /[^\x20-\x7e]/.test(user))
      return `username*=UTF-8''${encodeURIComponent(user).replace(/['()*]/g, escaped)}`;
    return `username=${quoted(user)}`;
  }

  #hash(text: string): string {
    return createHash(this.challenge.hash).update(text).digest('hex');
  }
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
