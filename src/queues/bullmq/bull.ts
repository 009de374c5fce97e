import { createRedisBackend, type RedisQueueBackend } from 'bullmq';
import type { RedisLink } from '../../core/redis/redis-client.ts';

/*
 * Tasks are jobs of BullMQ (on Redis or Valkey): its scripts move them, and its dashboards show them. This code uses
 * BullMQ's backend, below its Queue, Job and Worker classes: there the data of a job is text, so that a record keeps
 * its bytes; a thousand commands can be pipelined; and a lease may be ended by another process.
 */

/** One queue with its connection, as the functions of this folder share it. */
export interface Bull {
  readonly name: string;
  readonly link: RedisLink;
  readonly backend: RedisQueueBackend;
}

/** Number that disables BullMQ's own limit: `Consumer.take` counts stalls against the attempts of each task. */
const NO_LIMIT = 1_000_000_000;

/** Makes the backend of one queue over a connection. @param lease in milliseconds */
export function backendOf(link: RedisLink, name: string, lease: number): RedisQueueBackend {
  const options = {
    connection: link.client as never,
    skipVersionCheck: true, // connectRedis checks the version, with advice
    lockDuration: lease,
    stalledInterval: Math.ceil(lease / 2),
    maxStalledCount: NO_LIMIT,
  };
  const backend = createRedisBackend(name, options);
  backend.on('error', () => {}); // the link reports errors
  useServerTime(backend, link);
  return backend;
}

/**
 * Names the connection as BullMQ's workers do: dashboards tell by it which queues have workers. A connection has one name,
 * so that a worker of several queues shows at the first one.
 */
export function nameConnection({ link: { client }, backend }: Bull, worker: string): void {
  if (client.options.connectionName) return;
  const name = backend.clientName(`:w:${worker.replaceAll(/[^!-~]/g, '_')}`);
  client.options.connectionName = name; // ioredis repeats it after a reconnection
  client.client('SETNAME', name).catch(() => {}); // some hosted servers refuse it
}

/** Positions of the time in the arguments of the scripts that deliver due jobs or record the death of a job. */
const TIME_AT: Readonly<Record<string, number>> = { moveToActive: 12, retryJob: 12, moveToFinished: 15 };

type Send = (client: unknown, script: string, args: unknown[]) => unknown;

/**
 * Passes the time of the server to these scripts. BullMQ passes the time of this machine, whose clock may be an hour
 * fast.
 */
function useServerTime(backend: RedisQueueBackend, link: RedisLink): void {
  const own = backend as unknown as { execCommand: Send };
  const send = own.execCommand.bind(backend);
  const sendAtServerTime: Send = (client, script, args) => {
    const at = TIME_AT[script];
    if (at !== undefined) args[at] = link.now();
    return send(client, script, args);
  };
  own.execCommand = sendAtServerTime;
}
