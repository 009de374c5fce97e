import { randomUUID } from 'node:crypto';
import type { NatsMessage, NatsSession } from '../../core/nats/contract.ts';
import {
  deleteMessage,
  deliveryOf,
  lastMessage,
  MessageFetcher,
  publish,
  stateOf,
  textOf,
} from '../../core/nats/jetstream.ts';
import { JetStreamError, NOT_HEARD } from '../../core/nats/nats-faults.ts';
import type { Task } from '../../core/record/task.ts';
import { type ConsumeOptions, type Consumer, type Returned, SETTLING } from '../contract.ts';
import { WaitingSuspects } from '../suspicion.ts';
import {
  acknowledge,
  afterDeath,
  allClaims,
  deleteClaim,
  deliverAgain,
  readClaim,
  type StoredClaim,
  writeClaim,
} from './nats-claims.ts';
import { type Hub, isPaused, liveWorkers } from './nats-hub.ts';
import { CONSUMER } from './nats-names.ts';
import { consumerOf, makeConsumer, renewConsumer, restoreConsumer } from './nats-streams.ts';
import { type Accepted, Taking } from './nats-take.ts';
import { purgeIfEmpty, VoidClaims } from './nats-voids.ts';

/** Size of the messages of one request, in bytes: a client that is slow to read more is cut off. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Maximum time in which tasks are left out until the caller is heard again, in milliseconds. */
const LONGEST = 250;

/** Starts to take tasks for a worker. */
export async function openConsumer(hub: Hub, options: ConsumeOptions): Promise<Consumer> {
  const consumer = new NatsConsumer(hub, options);
  await consumer.greet();
  await consumer.agreeOnLease();
  return consumer;
}

class NatsConsumer implements Consumer {
  /** Unacknowledged uuids, in the order in which they were taken. */
  readonly out: Set<string> = new Set();
  readonly #hub: Hub;
  readonly #options: ConsumeOptions;
  readonly #instance = randomUUID();
  /** Claims of this consumer, on the tasks in flight and on the suspects that wait. */
  readonly #claims = new Map<string, StoredClaim>();
  readonly #voids = new VoidClaims();
  readonly #suspects = new WaitingSuspects();
  /** True while a group of suspects is in flight. */
  #isTrial = false;
  /** Settled tasks that `returned()` has not reported yet. */
  #news: { uuids: string[]; isEnd: boolean } = { uuids: [], isEnd: false };
  #heardAt = Number.NEGATIVE_INFINITY;
  /** End of the last call of `take`. */
  #taking: Promise<void> = Promise.resolve();
  readonly #fetchers = new WeakMap<NatsSession, MessageFetcher>();
  /** Reconnections after which `#mend` ran, and those that `returned()` has reported. */
  #returns: number;
  #reported: number;

  constructor(hub: Hub, options: ConsumeOptions) {
    this.#hub = hub;
    this.#options = options;
    this.#returns = hub.link.returns;
    this.#reported = hub.link.returns;
    hub.link.onConnection((session) => this.#listen(session));
  }

  /** Sets the lease of the queue: JetStream has one for all workers, so it is the longest of those that run. */
  async agreeOnLease(): Promise<void> {
    const { names } = this.#hub;
    await this.#hub.link.run(async (session) => {
      await this.#renewConsumer(session);
      const leases = (await liveWorkers(session, this.#hub)).map(({ lease }) => lease);
      const lease = Math.max(this.#options.lease, ...leases);
      const state = await consumerOf(session, names.streams);
      if (state?.config.ack_wait !== lease * 1e6) await makeConsumer(session, names.streams, lease);
    });
  }

  async #renewConsumer(session: NatsSession): Promise<void> {
    const { names, clock, link } = this.#hub;
    const { servers, replicas } = link.address;
    if (servers.length === 1 && replicas === 1)
      await renewConsumer(session, names, await clock.now(session, names));
  }

  take(count: number, skip: (uuid: string) => boolean = () => false): Promise<readonly Task[]> {
    // One after the other: a request for messages has its answers to itself.
    const taking = this.#taking.then(() => this.#take(count, skip));
    this.#taking = taking.then(noop, noop);
    return taking;
  }

  async #take(count: number, skip: (uuid: string) => boolean): Promise<readonly Task[]> {
    await this.#mend();
    // Suspects run with nothing else in flight, and nothing is taken beside them.
    if (this.out.size > 0 && (this.#isTrial || this.#suspects.size > 0)) return [];
    const accepted = await this.#hub.link.run(async (session) => {
      await this.#voids.purge(session, this.#hub.names);
      const isToPause = await isPaused(session, this.#hub);
      this.#isTrial = !isToPause && this.#suspects.size > 0;
      return isToPause || this.#isTrial ? [] : this.#claimTasks(session, count, skip);
    });
    if (this.#isTrial) return this.#takeGroup();
    const tasks: Task[] = [];
    // Noted once the work has succeeded: what a lost connection has left half-way is for `#mend`.
    for (const { task, claim, size } of accepted) {
      this.#hold(claim);
      if (size !== Number.POSITIVE_INFINITY) this.#suspects.add(task, size);
      else {
        this.out.add(task.uuid);
        tasks.push(task);
      }
    }
    return tasks;
  }

  async #claimTasks(
    session: NatsSession,
    count: number,
    skip: (uuid: string) => boolean,
  ): Promise<readonly Accepted[]> {
    const taking = new Taking(session, this.#hub, {
      ...{ ...this.#options, instance: this.#instance, skip },
      isOurs: (uuid) => this.#claims.has(uuid),
    });
    const end = performance.now() + LONGEST;
    const all: Accepted[] = [];
    for (;;) {
      const messages = await this.#fetch(session, count - all.length);
      all.push(...(await taking.acceptAll(messages)));
      const last = messages.at(-1);
      if (all.length >= count || performance.now() > end || (last === undefined && all.length > 0))
        return all;
      // Some were left out, or the server is slow: more may wait.
      const pending =
        last === undefined
          ? (await consumerOf(session, this.#hub.names.streams))?.num_pending
          : deliveryOf(last.reply).pending;
      if (pending === 0) return all;
    }
  }

  /** Delivers the next group of suspects. Its size is recorded before. */
  async #takeGroup(): Promise<readonly Task[]> {
    const group = this.#suspects.nextGroup();
    const tasks: Task[] = [];
    for (const task of group) {
      const claim = this.#claims.get(task.uuid);
      this.#suspects.delete(task.uuid);
      if (claim === undefined) continue;
      const alone = claim.alone + (group.length === 1 ? 1 : 0);
      if (await this.#rewrite({ ...claim, group: group.length, alone })) tasks.push(task);
    }
    for (const { uuid } of tasks) this.out.add(uuid);
    return tasks;
  }

  /** Writes a claim of this consumer again. Returns false, and forgets it, if it is not ours any more. */
  async #rewrite(claim: StoredClaim): Promise<boolean> {
    const { link, names } = this.#hub;
    const { uuid } = claim;
    return link.run(async (session) => {
      const seq = await writeClaim(session, names, claim, claim.seq);
      const last = seq === undefined ? await readClaim(session, names, claim.task, uuid) : { ...claim, seq };
      const isOurs = this.#isHeldHere(last);
      if (isOurs) this.#hold(last as StoredClaim);
      else this.#forget(uuid);
      return isOurs;
    });
  }

  #isHeldHere(claim: StoredClaim | undefined): boolean {
    return claim?.state === 'held' && claim.instance === this.#instance;
  }

  #hold(claim: StoredClaim): void {
    const known = this.#claims.get(claim.uuid);
    if (known !== undefined) this.#voids.remove(known.task);
    this.#claims.set(claim.uuid, claim);
    this.#voids.add(claim.task, claim.seq);
  }

  #forget(uuid: string): void {
    const claim = this.#claims.get(uuid);
    if (claim !== undefined) this.#voids.remove(claim.task);
    this.#claims.delete(uuid);
    this.#suspects.delete(uuid);
    if (this.out.delete(uuid)) this.#news.uuids.push(uuid);
  }

  async #fetch(session: NatsSession, count: number): Promise<readonly NatsMessage[]> {
    const restore = (): Promise<boolean> => restoreConsumer(session, this.#hub.names, this.#options.lease);
    const fetcher = this.#fetcherOf(session);
    try {
      const messages = await fetcher.fetch(count, Math.max(MOST_BYTES, session.maxPayload * 2));
      if (fetcher.isUnanswered) await restore();
      return messages;
    } catch (error) {
      // Since 2.10, a server says that there is no consumer.
      const isGone = error instanceof JetStreamError && error.number === NOT_HEARD;
      if (isGone && (await restore())) return [];
      throw error;
    }
  }

  #fetcherOf(session: NatsSession): MessageFetcher {
    let fetcher = this.#fetchers.get(session);
    if (fetcher === undefined) {
      fetcher = new MessageFetcher(session, this.#hub.names.streams.tasks, CONSUMER);
      this.#fetchers.set(session, fetcher);
    }
    return fetcher;
  }

  #listen(session: NatsSession): void {
    const { names } = this.#hub;
    session.listen(names.settled(this.#instance), ({ data }) => {
      const told = JSON.parse(textOf(data)) as readonly (readonly [string, number])[];
      for (const [uuid, order] of told) {
        // The verdict on an earlier delivery is not one on this one.
        const claim = this.#claims.get(uuid);
        if (claim !== undefined && deliveryOf(claim.ack).order === order) this.#forget(uuid);
      }
    });
    session.listen(names.settling(this.#options.worker), ({ data }) => {
      if (data.length > 0) this.#news.isEnd = true;
      else this.#heardAt = performance.now();
    });
  }

  async returned(): Promise<Returned> {
    const { link } = this.#hub;
    // Until the server has answered, news of what was settled before this call may be on its way.
    await link.run((session) => session.flush());
    const isBack = this.#reported !== link.returns;
    this.#reported = link.returns;
    const returned = { ...this.#news, isBack };
    this.#news = { uuids: [], isEnd: false };
    return returned;
  }

  async isHeardOf(): Promise<boolean> {
    return performance.now() - this.#heardAt < SETTLING * 4;
  }

  async renew(): Promise<void> {
    await this.#hub.link.run(async (session) => {
      await this.#showLife(session);
      for (const { ack } of this.#claims.values()) session.tell(ack, '+WPI');
      await this.#lookAfterClaims(session);
      await this.#voids.purge(session, this.#hub.names, true);
    });
  }

  /** Forgets tasks that another process has settled without our hearing it, or that another worker has by now. */
  async #lookAfterClaims(session: NatsSession): Promise<void> {
    const { names } = this.#hub;
    const look = async ({ uuid, seq, task }: StoredClaim): Promise<void> => {
      const [claim, done] = await Promise.all([
        readClaim(session, names, task, uuid),
        lastMessage(session, names.streams.done, names.of('done', uuid)),
      ]);
      const isCurrent = this.#claims.get(uuid)?.seq === seq;
      const isOurs = done === undefined && this.#isHeldHere(claim) && claim?.task === task;
      if (isCurrent && !isOurs) this.#forget(uuid);
    };
    await Promise.all(Array.from(this.#claims.values(), look));
  }

  /**
   * Mends what a lost connection, or a crash of the server, has left: tasks that this consumer has claimed without its
   * knowledge, and claims on tasks that are finished or gone. The server may forget its last deletions when it crashes.
   */
  async #mend(): Promise<void> {
    const { link, names } = this.#hub;
    await link.run(async () => {}); // connects, if the connection was lost
    if (this.#returns === link.returns) return;
    const { returns } = link;
    await this.renew();
    await link.run(async (session) => {
      await this.#renewConsumer(session);
      const claims = await allClaims(session, names);
      await Promise.all(claims.map((claim) => this.#mendClaim(session, claim)));
    });
    this.#returns = returns;
  }

  async #mendClaim(session: NatsSession, claim: StoredClaim): Promise<void> {
    const { names } = this.#hub;
    const { uuid, seq, ack } = claim;
    const last = (kind: 'tasks' | 'done') => lastMessage(session, names.streams[kind], names.of(kind, uuid));
    const [task, done] = await Promise.all([last('tasks'), last('done')]);
    if (task?.seq !== claim.task) await deleteClaim(session, names, seq);
    else if (done !== undefined) {
      await acknowledge(session, ack);
      await deleteClaim(session, names, seq);
    } else if (this.#isHeldHere(claim) && !this.#claims.has(uuid)) await this.#free(session, claim);
  }

  /** Returns a task to the queue, unless another process has settled it meanwhile. */
  async #free(session: NatsSession, claim: StoredClaim): Promise<void> {
    const seq = await writeClaim(session, this.#hub.names, { ...claim, state: 'free' }, claim.seq);
    if (seq !== undefined) await deliverAgain(session, claim.ack, 0);
  }

  async #showLife(session: NatsSession): Promise<void> {
    const { worker, lease } = this.#options;
    await publish(session, this.#hub.names.worker(this.#instance), JSON.stringify({ worker, lease }));
  }

  async greet(): Promise<boolean> {
    const { link, names } = this.#hub;
    return link.run(async (session) => {
      const [stop] = await Promise.all([
        lastMessage(session, names.streams.live, names.stop(this.#instance)),
        this.#showLife(session),
        publish(session, names.known(this.#options.worker), ''),
      ]);
      return stop !== undefined;
    });
  }

  async isEmpty(): Promise<boolean> {
    const { link, names } = this.#hub;
    return link.run((session) => purgeIfEmpty(session, names));
  }

  async giveBack(isSuspect: (uuid: string) => boolean = () => false): Promise<number> {
    const claims = [...this.#claims.values()];
    const group = claims.filter(({ uuid }) => this.out.has(uuid) && isSuspect(uuid)).length;
    const { link, names } = this.#hub;
    await link.run(async (session) => {
      const finished = group === 0 ? 0 : (await stateOf(session, names.streams.done)).messages;
      const changed = claims.map((claim): StoredClaim => {
        const isDeath = this.out.has(claim.uuid) && isSuspect(claim.uuid);
        return isDeath ? { ...claim, ...afterDeath(claim, finished), group } : claim;
      });
      await Promise.all(changed.map((claim) => this.#free(session, claim)));
    });
    for (const { task } of claims) this.#voids.remove(task);
    this.#claims.clear();
    this.out.clear();
    this.#suspects.clear();
    return claims.length;
  }

  async close(): Promise<void> {
    const { link, names } = this.#hub;
    await link.run(async (session) => {
      const { live } = names.streams;
      for (const subject of [names.worker(this.#instance), names.stop(this.#instance)]) {
        const message = await lastMessage(session, live, subject);
        if (message !== undefined) await deleteMessage(session, live, message.seq);
      }
    });
  }
}

function noop(): void {}
