import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { messageOf, TaskpipeError } from '../base/errors.ts';
import type { RedisLink, RedisSettings } from './contract.ts';
import type { RedisAddress } from './redis-address.ts';
import { CLOSED, faultOf, isCopy, isHopeless, isRefused, NO_ANSWER, reasonOf } from './redis-faults.ts';
import { makeClient } from './redis-options.ts';
import { watchSilence } from './redis-silence.ts';
import { otherProtocol } from './redis-tls.ts';

/** Default of `--patience`, in milliseconds. */
export const PATIENCE = 60_000;

/** Time for which an unavailable server is waited for after a stop was requested, in milliseconds. */
const STOPPING = 2000;
/** Pause before a command that the server refused is sent again, in milliseconds. */
const PAUSE = 250;
/** Time without an answer after which the other protocol is tried, in milliseconds. */
const SLOW = 1000;
/** Time in which a replica confirms a write, in milliseconds. */
const CONFIRMING = 1000;
/** Time for which confirmations are not asked for after there was none, in milliseconds. */
const UNCONFIRMED = 10_000;

/** Connects. @throws {TaskpipeError} `IO` */
export async function openLink(address: RedisAddress, settings: RedisSettings): Promise<RedisLink> {
  const { Redis, AbstractConnector } = await import('ioredis');
  return new Link(address, settings, { Redis, AbstractConnector }).opened();
}

class Link implements RedisLink {
  readonly client: Redis;
  readonly address: RedisAddress;
  readonly #settings: RedisSettings;
  readonly #patience: number;
  /** Last error of the connection. */
  #last: unknown;
  /** Error that retrying cannot fix. */
  #verdict: unknown;
  #awaySince = performance.now();
  #isAway = true;
  #isClosed = false;
  #isProbed = false;
  #returns = -1;
  /** Time of the server less that of this machine, in milliseconds. */
  #ahead = 0;
  /** True after it was said that the server accepts no writes, until it does. */
  #isRefusing = false;
  /** Time until which no confirmations are asked for. */
  #unconfirmedUntil = 0;

  constructor(address: RedisAddress, settings: RedisSettings, ioredis: Parameters<typeof makeClient>[0]) {
    this.address = address;
    this.#settings = settings;
    this.#patience = settings.patience ?? PATIENCE;
    this.client = makeClient(ioredis, address, {
      delay: (times) => (this.#verdict !== undefined || this.#isOver() ? null : Math.min(times * 50, 500)),
      // A copy is refused by `checkServer` if it is the first server that is met.
      isAccepted: ({ role }) => role !== 'slave' || this.#returns < 0,
    });
    this.#listen();
  }

  get returns(): number {
    return Math.max(0, this.#returns);
  }

  now(): number {
    return Math.round(Date.now() + this.#ahead);
  }

  fault(error: unknown): TaskpipeError {
    return faultOf(error, this.#verdict ?? this.#last, this.address);
  }

  close(): void {
    this.#isClosed = true;
    this.client.disconnect();
  }

  /** Resolves once it is connected. */
  async opened(): Promise<this> {
    const { client } = this;
    const probing = setTimeout(() => this.#probe(false), Math.min(SLOW, this.#patience / 2)).unref();
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve);
        client.once('end', () => reject(this.fault(new Error(CLOSED))));
        client.connect().catch(() => {}); // its events report it
      });
    } finally {
      clearTimeout(probing);
    }
    return this;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    let refusedSince: number | undefined;
    for (;;) {
      try {
        const result = await work();
        if (refusedSince !== undefined) this.#tellAccepted();
        return result;
      } catch (error) {
        if (messageOf(error).includes('Command aborted')) continue;
        if (!isRefused(error)) throw this.fault(error);
        const now = performance.now();
        if (refusedSince === undefined) this.#tellRefusal(error);
        refusedSince ??= now;
        if (now - refusedSince >= this.#limit() || this.#settings.aborting?.aborted) throw this.fault(error);
        await sleep(Math.min(PAUSE, this.#patience));
      }
    }
  }

  async keep<T>(work: () => Promise<T>): Promise<T> {
    if (this.address.sentinels === undefined) return this.run(work);
    let result: { readonly value: T } | undefined;
    for (;;) {
      const before = this.#returns;
      const value = await this.run(work);
      result ??= { value };
      await this.#confirm();
      if (this.#returns === before) return result.value;
    }
  }

  async #confirm(): Promise<void> {
    if (performance.now() < this.#unconfirmedUntil) return;
    if ((await this.run(() => this.client.wait(1, CONFIRMING))) > 0) return;
    if (this.#unconfirmedUntil === 0)
      this.#warn('no replica confirms what is written; a failover now would lose it');
    this.#unconfirmedUntil = performance.now() + UNCONFIRMED;
  }

  /** Time for which an unavailable server is waited for, in milliseconds. */
  #limit(): number {
    return this.#settings.stopping?.aborted ? Math.min(this.#patience, STOPPING) : this.#patience;
  }

  #isOver(): boolean {
    const { aborting } = this.#settings;
    return this.#isAway && (aborting?.aborted === true || performance.now() - this.#awaySince >= this.#limit());
  }

  #listen(): void {
    const { client, address } = this;
    const { aborting } = this.#settings;
    const unwatch = watchSilence(client, {
      ...{ patience: this.#patience, aborting, isOver: () => this.#isOver() },
      onSilence: (isLast) => {
        if (isLast) this.#last ??= new Error(NO_ANSWER);
        else this.#noteFault(new Error(NO_ANSWER));
      },
    });
    let sentinelFault: unknown;
    client.on('sentinelError', (error: unknown) => {
      sentinelFault = error;
    });
    client.on('error', (error: unknown) => {
      const cause = messageOf(error).startsWith('All sentinels') ? (sentinelFault ?? error) : error;
      if (isHopeless(cause, address)) this.#giveUp(cause);
      else this.#noteFault(cause);
    });
    client.on('end', unwatch);
    client.on('close', () => this.#onClose());
    client.on('ready', () => this.#onReady());
  }

  #onClose(): void {
    if (this.#isClosed) return;
    if (this.#returns < 0 && this.#last === undefined) void this.#probe(true);
    if (this.#isAway) return;
    this.#isAway = true;
    this.#awaySince = performance.now();
    this.#warn(`went away; waiting for it up to ${this.#patience / 1000} s`, ' ');
  }

  #onReady(): void {
    if (++this.#returns > 0) this.#warn('is back', ' ');
    this.#isAway = false;
    this.#last = undefined;
    const learn = ([seconds, micros]: readonly (number | string)[]): void => {
      this.#ahead = Number(seconds) * 1000 + Number(micros) / 1000 - Date.now();
    };
    this.client.time().then(learn, () => {}); // a lost connection is reported elsewhere
  }

  /** Says once what is waited for. A copy is left: another server may be the primary now. */
  #tellRefusal(error: unknown): void {
    const seconds = `up to ${this.#patience / 1000} s`;
    if (this.#isAway || this.#isRefusing) return;
    if (!isCopy(error)) {
      this.#isRefusing = true;
      this.#warn(`${reasonOf(error, this.address)}; trying again for ${seconds}`);
      return;
    }
    this.#isAway = true;
    this.#awaySince = performance.now();
    this.#last = error;
    this.#warn(`is a read-only copy now; waiting ${seconds} for the primary at this address`, ' ');
    this.client.disconnect(true);
  }

  #tellAccepted(): void {
    if (this.#isRefusing) this.#warn('accepts commands again', ' ');
    this.#isRefusing = false;
  }

  #noteFault(error: unknown): void {
    if (this.#last === undefined && this.#returns < 0)
      this.#settings.warn?.(
        `cannot reach ${this.address.place}: ${reasonOf(error, this.address)}; trying for ${this.#patience / 1000} s`,
      );
    this.#last = error;
  }

  #giveUp(error: unknown): void {
    this.#verdict ??= error;
    // Between two attempts there is no connection to close: the next attempt ends it.
    if (this.client.status !== 'reconnecting') this.client.disconnect();
  }

  /**
   * Finds out whether the server speaks TLS, or does not, contrary to the url.
   * @param wasClosed true if the server closed the connection
   */
  async #probe(wasClosed: boolean): Promise<void> {
    if (this.#isProbed) return;
    this.#isProbed = true;
    const reason = await otherProtocol(this.address, SLOW);
    if (this.#returns >= 0 || this.#isClosed) return;
    if (reason !== undefined) this.#giveUp(new TaskpipeError('IO', `${this.address.place}: ${reason}`));
    else if (wasClosed && this.#last === undefined) this.#noteFault(new Error(CLOSED));
  }

  #warn(words: string, separator = ': '): void {
    this.#settings.warn?.(`${this.address.place}${separator}${words}`);
  }
}
