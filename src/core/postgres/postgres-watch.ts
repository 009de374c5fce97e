import type { Socket } from 'node:net';
import type { Client } from 'pg';
import { SILENT } from './postgres-faults.ts';
import { processOf } from './postgres-session.ts';

/** Time to wait for a server after a stop was requested, in milliseconds. */
export const STOPPING = 2000;

/** Conditions of the wait for an answer. */
export interface Watch {
  /** Time without a byte of the server after which it is asked whether it still works, in milliseconds. */
  readonly silence: number;
  /** Asks the server, by another connection. */
  readonly isBusy: () => Promise<boolean>;
  /** Aborted if the answer is not needed any more. */
  readonly stopping: AbortSignal | undefined;
  readonly warn: (words: string) => void;
}

/** Runs `work`, and ends the connection if the server is silent for too long, unless it works on a statement. */
export async function watched<T>(
  stream: Socket,
  { silence, isBusy, stopping, warn }: Watch,
  work: () => Promise<T>,
): Promise<T> {
  const since = performance.now();
  let isOver = false;
  const judge = async (): Promise<void> => {
    const waits = stopping?.aborted !== true && (await isBusy());
    if (isOver) return;
    if (!waits) return void stream.destroy(new Error(SILENT));
    const seconds = Math.round((performance.now() - since) / 1000);
    warn(`has worked on a statement for ${seconds} s; still waiting for its answer`);
    stream.setTimeout(silence);
  };
  const onSilence = (): void => void judge();
  const onStop = (): void => void stream.setTimeout(Math.min(silence, STOPPING));
  stream.on('timeout', onSilence);
  stream.setTimeout(silence);
  stopping?.addEventListener('abort', onStop);
  try {
    return await work();
  } finally {
    isOver = true;
    stream.setTimeout(0);
    stream.off('timeout', onSilence);
    stopping?.removeEventListener('abort', onStop);
  }
}

/** If a connection is lost unnoticed, the server waits for its client, and does not work on a statement. */
const BUSY = `
  select from pg_stat_activity
  where pid = $1 and state = 'active' and wait_event_type is distinct from 'Client'`;

/**
 * Returns whether the server works on the statement of a client.
 * @param open opens another connection
 */
export async function isServerBusy(client: Client, open: () => Promise<Client>): Promise<boolean> {
  let other: Client | undefined;
  try {
    other = await open();
    return (await other.query(BUSY, [processOf(client)])).rowCount === 1;
  } catch {
    return false;
  } finally {
    if (other !== undefined) streamOf(other).destroy();
  }
}

/** Returns the socket of a client, which is missing in the types of the library. */
export function streamOf(client: Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}
