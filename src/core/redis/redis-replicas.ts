import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisLink } from './contract.ts';
import type { PrimaryState } from './redis-sentinel.ts';
import { infoReader } from './redis-server.ts';

/** Time in which a replica confirms a write, in milliseconds. */
const CONFIRMING = 1000;
/**
 * Time without a confirmation after which the primary counts as alone, in milliseconds. Before that, its replica may
 * be about to replace it: Sentinel reports that a second or two later, and the old primary accepts writes for a few
 * more seconds.
 */
const ALONE = 5000;
/** Interval of the checks in that time, in milliseconds. */
const CHECK = 300;
/** Time without requests for a confirmation after a missing one, in milliseconds. */
const UNCONFIRMED = 10_000;

/** Functions of a link that `Replicas` needs. */
export interface ReplicaRules {
  /** Asks the sentinels about the primary of the connection. */
  state(): Promise<PrimaryState>;
  /** Returns whether the process will end soon. */
  isEnding(): boolean;
  warn(words: string): void;
}

/**
 * Replicas of a primary, and waits for their confirmations. Redis answers a write before a replica has it: if the
 * primary is lost at that moment, the new one does not have the acknowledged data.
 */
export class Replicas {
  readonly #link: RedisLink;
  readonly #rules: ReplicaRules;
  /** Time until which no confirmations are asked for. */
  #unconfirmedUntil = 0;
  /** Number of reconnections at the time the server was seen to have a replica. */
  #known = -1;

  constructor(link: RedisLink, rules: ReplicaRules) {
    this.#link = link;
    this.#rules = rules;
  }

  /** Runs `work` until a replica has all that it wrote to a single primary. Returns the result of the first run. */
  async keep<T>(work: () => Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined;
    for (;;) {
      const before = this.#link.returns;
      const value = await this.#link.run(work);
      result ??= { value };
      await this.#confirm(before);
      if (this.#link.returns === before) return result.value;
    }
  }

  /** @param before number of reconnections before the write */
  async #confirm(before: number): Promise<void> {
    if (performance.now() < this.#unconfirmedUntil) return;
    const wasAlone = this.#unconfirmedUntil !== 0;
    const began = performance.now();
    while (!(await this.#isConfirmed())) {
      if (this.#link.returns !== before) return; // written again, to the new primary
      const state = await this.#rules.state();
      if (state === 'moved') return this.#move();
      if (wasAlone || state === 'alone' || this.#rules.isEnding() || performance.now() - began > ALONE) {
        if (!wasAlone) this.#rules.warn('no replica confirms the written data; a failover now would lose it');
        this.#unconfirmedUntil = performance.now() + UNCONFIRMED;
        return;
      }
      await sleep(CHECK);
    }
    this.#unconfirmedUntil = 0;
  }

  async #isConfirmed(): Promise<boolean> {
    const { client, returns } = this.#link;
    // Without a replica, as just after a failover, WAIT would wait until its timeout.
    if (this.#known !== returns || this.#unconfirmedUntil !== 0) {
      const info = await this.#link.run(() => client.info('replication'));
      if (infoReader(info)('connected_slaves') === '0') return false;
      this.#known = returns;
    }
    return (await this.#link.run(() => client.wait(1, CONFIRMING))) > 0;
  }

  /** Leaves the old primary, and resolves once the new one answers. */
  async #move(): Promise<void> {
    const { client } = this.#link;
    if (client.status === 'ready') client.disconnect(true);
    await this.#link.run(() => client.ping());
  }
}
