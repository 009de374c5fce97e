import type { RedisLink } from './contract.ts';
import { infoReader } from './redis-server.ts';

/** Time in which a replica confirms a write, in milliseconds. */
const CONFIRMING = 1000;
/** Time for which confirmations are not asked for after there was none, in milliseconds. */
const UNCONFIRMED = 10_000;

/**
 * Waits for the replicas of a primary. Redis answers a write before a replica has it: if the primary is lost then, the new one
 * does not know what was acknowledged.
 */
export class Replicas {
  readonly #link: RedisLink;
  readonly #warn: (words: string) => void;
  /** Time until which no confirmations are asked for. */
  #unconfirmedUntil = 0;
  /** Number of reconnections when the server was seen to have a replica. */
  #known = -1;

  constructor(link: RedisLink, warn: (words: string) => void) {
    this.#link = link;
    this.#warn = warn;
  }

  /** Runs `work` until a replica has what it wrote to one primary. Returns the result of the first run. */
  async keep<T>(work: () => Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined;
    for (;;) {
      const before = this.#link.returns;
      const value = await this.#link.run(work);
      result ??= { value };
      await this.#confirm();
      if (this.#link.returns === before) return result.value;
    }
  }

  async #confirm(): Promise<void> {
    if (performance.now() < this.#unconfirmedUntil) return;
    if (await this.#isConfirmed()) {
      this.#unconfirmedUntil = 0;
      return;
    }
    if (this.#unconfirmedUntil === 0)
      this.#warn('no replica confirms what is written; a failover now would lose it');
    this.#unconfirmedUntil = performance.now() + UNCONFIRMED;
  }

  async #isConfirmed(): Promise<boolean> {
    const { client, returns } = this.#link;
    // Without a replica, as just after a failover, WAIT would wait in vain.
    if (this.#known !== returns || this.#unconfirmedUntil !== 0) {
      const info = await this.#link.run(() => client.info('replication'));
      if (infoReader(info)('connected_slaves') === '0') return false;
      this.#known = returns;
    }
    return (await this.#link.run(() => client.wait(1, CONFIRMING))) > 0;
  }
}
