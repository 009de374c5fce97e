import type { NatsLink, NatsSession } from '../../core/nats/contract.ts';
import { deleteMessage, lastMessage, publish, scan, textOf } from '../../core/nats/jetstream.ts';
import type { StoredClaim } from './nats-claims.ts';
import type { QueueNames } from './nats-names.ts';

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
      const { worker, lease } = JSON.parse(textOf(data)) as LiveWorker;
      const silence = now - time;
      if (silence < Math.max(GONE, lease)) workers.push({ worker, instance, lease, silence });
      else await deleteMessage(session, names.streams.live, seq);
    }
  return workers;
}

/** Returns the time until the worker that has a task counts as dead, in milliseconds; 0 if it is. */
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

/**
 * Returns the number up to which tasks may be finished although they are delivered for the first time: all, once one was
 * marked that no worker had; else those that were there when the consumer was created again.
 */
export async function suspectMarks(session: NatsSession, { names }: Hub): Promise<number> {
  const { live } = names.streams;
  const [marked, renewed] = await Promise.all([
    lastMessage(session, live, names.marked),
    lastMessage(session, live, names.renewed),
  ]);
  if (marked !== undefined) return Number.POSITIVE_INFINITY;
  return renewed === undefined ? 0 : Number(textOf(renewed.data));
}
