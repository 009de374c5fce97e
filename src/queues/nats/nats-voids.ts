import type { NatsSession } from '../../core/nats/contract.ts';
import { callApi, messageOf, stateOf } from '../../core/nats/jetstream.ts';
import { BUCKET, bucketOf, type QueueNames } from './nats-names.ts';

/** Buckets that are looked at once more each time. */
const AGAIN = 100;

/**
 * Claims on tasks that have left the queue. `ack` leaves them behind, and they mean nothing: a claim counts only while its
 * task is in the queue. The worker that had the last task of a bucket removes the claims of all.
 */
export class VoidClaims {
  /** Number of tasks in flight here, by bucket. */
  readonly #inFlight = new Map<number, number>();
  /** Buckets whose last task in flight here has left, and those of them that had tasks elsewhere. */
  #left: number[] = [];
  #elsewhere: number[] = [];
  /** Number of the last claim that was seen. */
  #last = 0;

  /** Notes a task that is in flight here from now on. @param claim number of its claim */
  add(task: number, claim: number): void {
    const bucket = bucketOf(task);
    this.#inFlight.set(bucket, (this.#inFlight.get(bucket) ?? 0) + 1);
    this.#last = Math.max(this.#last, claim);
  }

  /** Notes a task that is not in flight here any more. */
  remove(task: number): void {
    const bucket = bucketOf(task);
    const count = (this.#inFlight.get(bucket) ?? 0) - 1;
    if (count > 0) this.#inFlight.set(bucket, count);
    else if (this.#inFlight.delete(bucket)) this.#left.push(bucket);
  }

  /** Removes the claims of buckets whose tasks have all left the queue. @param isAgain true to look again, too */
  async purge(session: NatsSession, names: QueueNames, isAgain = false): Promise<void> {
    if (this.#left.length === 0 && !(isAgain && this.#elsewhere.length > 0)) return;
    const again = isAgain ? this.#elsewhere.splice(0, AGAIN) : [];
    const buckets = new Set([...this.#left.splice(0), ...again]);
    // A claim that is written from now on may be on a new task.
    const before = this.#last + 1;
    const look = async (bucket: number): Promise<void> => {
      if (this.#inFlight.has(bucket)) return;
      const question = { seq: Math.max(1, bucket * BUCKET), next_by_subj: names.all('tasks') };
      const next = await messageOf(session, names.streams.tasks, question);
      if (next !== undefined && bucketOf(next.seq) === bucket) this.#elsewhere.push(bucket);
      else await purgeClaims(session, names, before, names.claimsIn(bucket));
    };
    await Promise.all(Array.from(buckets, look));
  }
}

/** Removes all claims if the queue is empty. Returns whether it is. */
export async function purgeIfEmpty(session: NatsSession, { streams }: QueueNames): Promise<boolean> {
  const claims = await stateOf(session, streams.claims);
  if ((await stateOf(session, streams.tasks)).messages > 0) return false;
  if (claims.messages > 0)
    await callApi(session, `STREAM.PURGE.${streams.claims}`, { seq: claims.last_seq + 1 });
  return true;
}

async function purgeClaims(
  session: NatsSession,
  { streams }: QueueNames,
  before: number,
  filter: string,
): Promise<void> {
  await callApi(session, `STREAM.PURGE.${streams.claims}`, { filter, seq: before });
}
