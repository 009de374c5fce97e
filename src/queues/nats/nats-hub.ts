import { Buffer } from 'node:buffer';
import type { NatsLink, NatsSession } from '../../core/nats/contract.ts';
import { deleteMessage, lastMessage, publish, scan } from '../../core/nats/jetstream.ts';
import type { StoredClaim } from './nats-claims.ts';
import { CONSUMER, type QueueNames } from './nats-names.ts';

/** Time after its last sign of life at which a worker is no longer listed, in milliseconds. */
const GONE = 15_000;

/** One queue with its connection, as the functions of this folder share it. */
export interface Hub {
  readonly name: string;
  readonly names: QueueNames;
  readonly link: NatsLink;
  readonly clock: ServerClock;
}

/** Clock of the server: those of machines may differ by minutes. */
export class ServerClock {
  /** Time of the server at the zero of `performance.now()`, by session. */
  readonly #zeros = new WeakMap<NatsSession, number>();

  /** Returns the time of the server, in milliseconds since the epoch. */
  async now(session: NatsSession, names: QueueNames): Promise<number> {
    let zero = this.#zeros.get(session);
    if (zero === undefined) {
      await publish(session, names.clock, '');
      const { time = Date.now() } = (await lastMessage(session, names.streams.live, names.clock)) ?? {};
      zero = time - performance.now();
      this.#zeros.set(session, zero);
    }
    return zero + performance.now();
  }
}

/** Returns the subject to which a task is acknowledged that may not have been delivered. */
export function ackOf({ streams: { tasks } }: QueueNames, seq: number): string {
  return `$JS.ACK.${tasks}.${CONSUMER}.1.${seq}.0.0.0`;
}

/** State of a running `pull`. */
export interface LiveWorker {
  readonly worker: string;
  readonly instance: string;
  /** Its lease, in milliseconds. */
  readonly lease: number;
  /** Time since its last sign of life, in milliseconds. */
  readonly silence: number;
}

/** Returns the live workers, and removes the states of those that are gone. */
export async function liveWorkers(
  session: NatsSession,
  { names, clock }: Hub,
): Promise<readonly LiveWorker[]> {
  const now = await clock.now(session, names);
  const workers: LiveWorker[] = [];
  for await (const batch of scan(session, names.streams.live, names.worker('*')))
    for (const { seq, subject, data, time } of batch) {
      const instance = subject.slice(subject.lastIndexOf('.') + 1);
      const { worker, lease } = JSON.parse(Buffer.from(data).toString()) as LiveWorker;
      const silence = now - time;
      if (silence < Math.max(GONE, lease)) workers.push({ worker, instance, lease, silence });
      else await deleteMessage(session, names.streams.live, seq);
    }
  return workers;
}

/** Returns the time until the worker that has a task is taken for dead, in milliseconds; 0 if it is. */
export async function leaseLeft(
  session: NatsSession,
  { names, clock }: Hub,
  { instance, lease, time }: StoredClaim,
): Promise<number> {
  const now = await clock.now(session, names);
  const sign = await lastMessage(session, names.streams.live, names.worker(instance));
  return Math.max(0, lease - (now - Math.max(time, sign?.time ?? 0)));
}

/** Returns whether the queue is paused. */
export async function isPaused(session: NatsSession, { names }: Hub): Promise<boolean> {
  return (await lastMessage(session, names.streams.live, names.paused)) !== undefined;
}

/** Pauses the queue, or lets it go on. */
export async function setPaused(session: NatsSession, { names }: Hub, isToPause: boolean): Promise<void> {
  if (isToPause) await publish(session, names.paused, '');
  else {
    const mark = await lastMessage(session, names.streams.live, names.paused);
    if (mark !== undefined) await deleteMessage(session, names.streams.live, mark.seq);
  }
}
