import type { Redis } from 'ioredis';
import type { TaskpipeError } from '../base/errors.ts';
import type { RedisAddress } from './redis-address.ts';

export interface RedisSettings {
  /** Maximum time that Redis may be unreachable, in milliseconds; then it is an error. Default one minute. */
  readonly patience?: number | undefined;
  /** Writes a line to stderr. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Aborted to wait only shortly for an unreachable Redis. */
  readonly stopping?: AbortSignal | undefined;
  /** Aborted to stop waiting for an unreachable Redis. */
  readonly aborting?: AbortSignal | undefined;
}

/** Connection that is restored automatically after a loss, for as long as `patience` allows. */
export interface RedisLink {
  readonly client: Redis;
  readonly address: RedisAddress;
  /**
   * Number of reconnections. Commands in flight at a reconnection were sent again, and may have run twice.
   */
  readonly returns: number;
  /** Returns the time of the server, in milliseconds since the epoch: the clocks of machines may differ by minutes. */
  now(): number;
  /**
   * Runs `work`, and runs it again if the connection was lost meanwhile, or if the server accepted no writes: it may then
   * run twice.
   * @throws {TaskpipeError} `IO`, with the reason
   */
  run<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Runs `work`. With Sentinel, it also waits until a replica has the written data, so that a failover cannot lose
   * it. If a failover happens meanwhile, `work` runs again.
   * @throws {TaskpipeError} `IO`, with the reason
   */
  keep<T>(work: () => Promise<T>): Promise<T>;
  /** Returns the error of a command or of the connection, with its reason in words. */
  fault(error: unknown): TaskpipeError;
  close(): void;
}
