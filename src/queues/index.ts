/*
 * Queues: tasks shared between machines. Owns the table of engines, by the scheme of their urls. Must not know records
 * beyond their uuid.
 */
import { TaskpipeError } from '../core/base/errors.ts';
import { natsAddress } from '../core/nats/nats-address.ts';
import { isPostgres, queueDatabase } from '../core/postgres/postgres-address.ts';
import { redisAddress, type Secrets } from '../core/redis/redis-address.ts';
import type { RedisSettings } from '../core/redis/redis-client.ts';
import { schemeOf } from '../core/storage/path-conflicts.ts';
import type { Queues } from './contract.ts';

export type * from './contract.ts';

/** Settings for opening queues. */
export interface QueueSettings extends RedisSettings, Secrets {
  /** Allows a server that loses its tasks when it stops. */
  readonly volatile?: boolean | undefined;
}

type Open = (url: string, names: readonly string[], settings: QueueSettings) => Promise<Queues>;

const bullmq: Open = async (url, names, settings) => {
  const address = redisAddress(url, settings);
  const { openBullQueues } = await import('./bullmq/bullmq-queue.ts');
  return openBullQueues(
    { ...address, volatile: address.volatile || settings.volatile === true },
    names,
    settings,
  );
};

const postgres: Open = async (url, names, settings) => {
  const address = queueDatabase(url, settings.passwordFile);
  const { openPostgresQueues } = await import('./postgres/postgres-queues.ts');
  return openPostgresQueues(address, names, settings);
};

const nats: Open = async (url, names, settings) => {
  const address = natsAddress(url, settings);
  const { openNatsQueues } = await import('./nats/nats-queue.ts');
  return openNatsQueues(address, names, settings);
};

/** Engines by the scheme of their urls. */
const kinds: Readonly<Record<string, Open>> = {
  redis: bullmq,
  rediss: bullmq,
  'redis+sentinel': bullmq,
  'rediss+sentinel': bullmq,
  postgres,
  postgresql: postgres,
  ...{ nats, tls: nats, 'nats+tls': nats },
};

/**
 * Returns the place of the ledger of a queue, with its finished tasks. Undefined for NATS, which has no ledger.
 * @param place place of the queues
 */
export function ledgerOf(place: string, name: string): string | undefined {
  if (isPostgres(place)) return `${place}?ledger=${encodeURIComponent(name)}`;
  return /^rediss?[:+]/.test(place) ? `${place}#${name}` : undefined;
}

/**
 * Connects to the queues of these names.
 * @throws {TaskpipeError} `USAGE` if the scheme is unknown or the server may lose tasks; `IO` if it cannot be reached
 */
export function openQueues(url: string, names: readonly string[], settings: QueueSettings): Promise<Queues> {
  const kind = schemeOf(url) ?? '';
  const open = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (open === undefined) {
    const shown = url.includes('@') ? 'something else' : JSON.stringify(url);
    throw new TaskpipeError(
      'USAGE',
      `a queue is a url such as redis://HOST:PORT/DB, rediss://…, redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY, postgres://HOST/DATABASE or nats://HOST:PORT; got ${shown}`,
    );
  }
  return open(url, names, settings);
}
