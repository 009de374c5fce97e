import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { messageOf, TaskpipeError } from '../base/errors.ts';
import { PATIENCE } from '../options/server-patience.ts';
import type { RedisLink, RedisSettings } from './contract.ts';
import type { RedisAddress } from './redis-address.ts';
import {
  CLOSED,
  faultOf,
  isCopy,
  isHopeless,
  isRefused,
  isUnexplained,
  NO_ANSWER,
  reasonOf,
} from './redis-faults.ts';
import { makeClient, scriptOf } from './redis-options.ts';
import { Replicas } from './redis-replicas.ts';
import { primaryState } from './redis-sentinel.ts';
import { rejectUnanswered, watchSilence } from './redis-silence.ts';
import { probe } from './redis-tls.ts';

/** Time to wait for an unavailable server after a stop was requested, in milliseconds. */
const STOPPING = 2000;
/** Pause before a command that the server refused is sent again, in milliseconds. */
const PAUSE = 250;
/** Time without an answer after which the other protocol is tried, in milliseconds. */
const SLOW = 1000;
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
  /** True if the first connection was given up because the reader or the user left. */
  #isLeft = false;
  #probing: 'never' | 'now' | 'done' = 'never';
  #returns = -1;
  /** Time of the server minus the time of this machine, in milliseconds. */
  #ahead = 0;
  /** True while the server accepts no writes, after a message has said so. */
  #isRefusing = false;
  readonly #replicas: Replicas;

  constructor(address: RedisAddress, settings: RedisSettings, ioredis: Parameters<typeof makeClient>[0]) {
    this.address = address;
    this.#settings = settings;
    this.#patience = settings.patience ?? PATIENCE;
    this.client = makeClient(ioredis, address, {
      delay: (times) => (this.#verdict !== undefined || this.#isOver() ? null : Math.min(times * 50, 500)),
      onLoading: () => this.#noteFault(new Error('LOADING ')),
      isAccepted: (info) => info.role !== 'slave' || this.#leaveCopy(info),
    });
    this.#replicas = new Replicas(this, {
      state: () => primaryState(ioredis.Redis, address, this.client),
      isEnding: () => settings.stopping?.aborted === true || settings.aborting?.aborted === true,
      warn: (words) => this.#warn(words),
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
    if (this.#isLeft) return new TaskpipeError('PIPE', 'the reader left'); // not the fault of the server
    return faultOf(error, this.#verdict ?? this.#last, this.address, (sha) => scriptOf(this.client, sha));
  }

  close(): void {
    this.#isClosed = true;
    this.client.disconnect();
  }

  /** Resolves once it is connected. */
  async opened(): Promise<this> {
    const { client } = this;
    const probing = setTimeout(() => this.#probe(), Math.min(SLOW, this.#patience / 2)).unref();
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve);
        client.once('end', () => reject(this.fault(new Error(CLOSED))));
        client.connect().catch(() => {}); // the events of the client report it
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

  keep<T>(work: () => Promise<T>): Promise<T> {
    return this.address.sentinels === undefined ? this.run(work) : this.#replicas.keep(work);
  }

  /** Time to wait for an unavailable server, in milliseconds. */
  #limit(): number {
    return this.#settings.stopping?.aborted ? Math.min(this.#patience, STOPPING) : this.#patience;
  }

  #isOver(): boolean {
    const { aborting } = this.#settings;
    return (
      this.#isAway && (aborting?.aborted === true || performance.now() - this.#awaySince >= this.#limit())
    );
  }

  #listen(): void {
    const { client } = this;
    const { aborting } = this.#settings;
    const unwatch = watchSilence(client, {
      ...{ patience: this.#patience, aborting, isOver: () => this.#isOver() },
      onSilence: (isLast) => {
        this.#isLeft ||= isLast && aborting?.aborted === true && this.#returns < 0;
        if (isLast) this.#last ??= new Error(NO_ANSWER);
        else this.#noteFault(new Error(NO_ANSWER));
      },
    });
    let sentinelFault: unknown;
    client.on('sentinelError', (error: unknown) => {
      sentinelFault = error;
    });
    client.on('error', (error: unknown) =>
      this.#onError(messageOf(error).startsWith('All sentinels') ? (sentinelFault ?? error) : error),
    );
    client.on('end', unwatch);
    client.on('end', () => rejectUnanswered(client, new Error(CLOSED)));
    client.on('close', () => this.#onClose());
    client.on('ready', () => this.#onReady());
  }

  #onError(error: unknown): void {
    if (isHopeless(error, this.address)) this.#giveUp(error);
    else if (isUnexplained(error) && this.#returns < 0 && this.#probing !== 'done') void this.#probe(error);
    else this.#noteFault(error);
  }

  #onClose(): void {
    if (this.#isClosed || this.#isLeft) return;
    if (this.#returns < 0 && this.#last === undefined) void this.#probe(new Error(CLOSED));
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

  /** Reports once the reason for the wait. Leaves a copy, because another server may be the primary now. */
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

  /** Reports once that a server is a copy, which is asked again later. */
  #leaveCopy({ master_host: host, master_port: port }: Readonly<Record<string, string>>): false {
    const { place } = this.address;
    const words = `${place} is a read-only copy; give its primary, ${host}:${port}`;
    if (this.#last === undefined)
      this.#settings.warn?.(`${words}; trying for ${this.#patience / 1000} s, as it may become the primary`);
    this.#last = new TaskpipeError('IO', words);
    return false;
  }

  #noteFault(error: unknown): void {
    const isKnown = this.#last !== undefined;
    if (this.#verdict !== undefined || (isKnown && isUnexplained(error))) return;
    if (!isKnown && this.#returns < 0)
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
   * Finds the reason for a failed connection, such as the wrong protocol.
   * @param error reported if nothing is found
   */
  async #probe(error?: unknown): Promise<void> {
    if (this.#probing !== 'never' || this.#verdict !== undefined) return;
    this.#probing = 'now';
    const found = (await probe(this.address, SLOW)) ?? error;
    this.#probing = 'done';
    if (this.#returns < 0 && !this.#isClosed && found !== undefined) this.#onError(found);
  }

  #warn(words: string, separator = ': '): void {
    this.#settings.warn?.(`${this.address.place}${separator}${words}`);
  }
}
