import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from 'undici';
import { TaskpipeError } from '../base/errors.ts';
import { PATIENCE } from '../options/server-patience.ts';
import { backoffDelay } from '../schedule/backoff.ts';
import type { S3Answer, S3Attempts, S3Bucket, S3Request, S3Settings } from './contract.ts';
import type { S3Address } from './s3-address.ts';
import { isPassing, isTimeout, refusalIn, s3Fault } from './s3-faults.ts';
import { type S3Login, s3Login } from './s3-login.ts';

/** Number of requests that are sent at once. */
export const CONNECTIONS = 16;
/** Bounds of the waits between attempts, in milliseconds. */
const BACKOFF = { min: 100, max: 5000 };
/** Longest time to connect, and longest silence of a server that works on a request, in milliseconds; patience may be less. */
const CONNECTING = 10_000;
const SILENCE = 30_000;
/** Silence that is not a fault, however short patience is, in milliseconds. */
const WORKING = 1000;
/** Longest wait for an unavailable server after a stop was requested, in milliseconds. */
const STOPPING = 2000;

/**
 * Opens the bucket of an address. It connects when it is first used.
 * @throws {TaskpipeError} `USAGE` if there are no credentials, `IO` if their file cannot be read
 */
export function openBucket({ bucket }: Pick<S3Address, 'bucket'>, settings: S3Settings = {}): S3Bucket {
  return new Bucket(bucket, s3Login(), settings);
}

class Bucket implements S3Bucket {
  readonly name: string;
  readonly #login: S3Login;
  readonly #settings: S3Settings;
  /** Url of the bucket, without a slash at its end. */
  readonly #url: URL;
  /** Keys of days for signatures. */
  readonly #cache = new Map<string, ArrayBuffer>();
  #agent: Agent | undefined;
  /** True if a message said that the server is not available. */
  #isAway = false;

  constructor(name: string, login: S3Login, settings: S3Settings) {
    this.name = name;
    this.#login = login;
    this.#settings = settings;
    this.#url = urlOf(name, login);
  }

  async ask(request: S3Request): Promise<string> {
    const attempts = this.#attempts(request);
    for (;;) {
      try {
        const { body } = await this.sendOnce(request);
        const text = await body.text();
        attempts.succeed();
        return text;
      } catch (error) {
        await attempts.pause(error);
      }
    }
  }

  async sendOnce(request: S3Request): Promise<S3Answer> {
    const { method, key, query = {}, body } = request;
    const url = new URL(`${this.#url.href.replace(/\/$/, '')}/${encodedKey(key)}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const [{ AwsV4Signer }, agent] = await Promise.all([import('aws4fetch'), this.#open()]);
    const { credentials, region } = this.#login;
    const signed = await new AwsV4Signer({
      ...{ ...credentials, region, service: 's3', cache: this.#cache, method, url: url.href },
      headers: { ...request.headers, 'X-Amz-Content-Sha256': hash('sha256', body ?? '') },
    }).sign();
    const answer = await agent.request({
      ...{
        origin: url.origin,
        path: url.pathname + url.search.replaceAll('+', '%20'),
        method,
        body: body ?? null,
      },
      headers: Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>),
      signal: this.#settings.aborting ?? null,
    });
    const { statusCode: status, headers } = answer;
    const found: S3Answer = { status, headers, body: answer.body };
    if (status < 200 || status > 299) throw await refusalIn(found);
    return found;
  }

  attempts(key: string): S3Attempts {
    return this.#attempts({ method: 'GET', key });
  }

  #attempts(request: S3Request): S3Attempts {
    let [count, since] = [0, 0];
    const fault = (error: unknown): TaskpipeError =>
      s3Fault(error, { bucket: this.name, server: this.#server, request });
    return {
      succeed: () => {
        count = 0;
        this.#tellBack();
      },
      pause: async (error) => {
        const { aborting } = this.#settings;
        aborting?.throwIfAborted();
        const now = performance.now();
        if (count === 0) since = now;
        if (!isPassing(error)) throw fault(error);
        if (count > 0 && now - since >= this.#limit) throw this.#givenUp(fault(error));
        // Not of a connection that was closed while it was idle.
        if (count > 0 || isTimeout(error)) this.#tellAway(fault(error));
        await sleep(Math.min(backoffDelay(++count, BACKOFF), this.#limit), undefined, { signal: aborting });
      },
    };
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }

  async #open(): Promise<Agent> {
    const { Agent } = await import('undici');
    const connecting = Math.max(1, Math.min(CONNECTING, this.#patience));
    const silence = Math.max(WORKING, Math.min(SILENCE, this.#patience));
    this.#agent ??= new Agent({
      ...{ connections: CONNECTIONS, connect: { timeout: connecting, rejectUnauthorized: true } },
      ...{ headersTimeout: silence, bodyTimeout: silence },
    });
    return this.#agent;
  }

  get #patience(): number {
    return this.#settings.patience ?? PATIENCE;
  }

  /** Longest wait for an unavailable server, in milliseconds. */
  get #limit(): number {
    return this.#settings.stopping?.aborted ? Math.min(this.#patience, STOPPING) : this.#patience;
  }

  get #server(): string {
    return (this.#login.endpoint ?? this.#url).origin;
  }

  #tellAway({ message }: TaskpipeError): void {
    if (this.#isAway) return;
    this.#isAway = true;
    this.#settings.warn?.(`${message}; trying again for ${this.#patience / 1000} s`);
  }

  #givenUp({ code, message, cause }: TaskpipeError): TaskpipeError {
    const words = `gave up after ${this.#limit / 1000} s (--patience); the same command continues`;
    return new TaskpipeError(code, `${message}; ${words}`, { cause });
  }

  #tellBack(): void {
    if (!this.#isAway) return;
    this.#isAway = false;
    this.#settings.warn?.(`s3://${this.name}: the server is back`);
  }
}

/** Returns the url of a bucket: a path of a server of one's own, a host of AWS, where certificates allow it. */
function urlOf(bucket: string, { endpoint, region }: S3Login): URL {
  if (endpoint !== undefined) return new URL(`${endpoint.href.replace(/\/$/, '')}/${bucket}`);
  const host = `s3.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  return new URL(/^[a-z\d-]+$/.test(bucket) ? `https://${bucket}.${host}` : `https://${host}/${bucket}`);
}

/** Returns a key as the path of a url. */
function encodedKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%2F', '/');
}
