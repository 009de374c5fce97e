import { randomUUID } from 'node:crypto';
import type { NatsSession } from '../../core/nats/contract.ts';
import {
  deleteMessage,
  deliveryOf,
  lastMessage,
  publish,
  type StoredMessage,
} from '../../core/nats/jetstream.ts';
import type { Failure } from '../../core/record/task.ts';
import { noCounts, type SETTLED, type SettleCounts, type SettleOptions, type Verdict } from '../contract.ts';
import {
  acknowledge,
  type Claim,
  deleteClaim,
  deliverAgain,
  NO_HISTORY,
  readClaim,
  type StoredClaim,
  writeClaim,
} from './nats-claims.ts';
import { Completion, markDone, type ToldVerdict } from './nats-complete.ts';
import { bury, finishBurial } from './nats-dead.ts';
import { TakenHints, tellSettled } from './nats-hints.ts';
import type { Hub } from './nats-hub.ts';

type Outcome = (typeof SETTLED)[number];

/** Unknown tasks of a batch that a message may name. */
const STRANGERS = 10;
/** Attempts to settle a task whose claim changes meanwhile. */
const ROUNDS = 3;
/** Time for which a worker's name is remembered after it was last seen, in milliseconds. */
const KNOWN = 86_400_000;

const UNKNOWN: Failure = { code: 'UNKNOWN', message: 'the record does not say why' };

/** Places in which a task was found. */
interface Found {
  readonly claim: StoredClaim | undefined;
  /** Number of the last claim on it, which may be void; 0 if there is none. */
  readonly last: number;
  /** Message of the task. */
  readonly task: StoredMessage | undefined;
  /** Not looked for if a worker has the task. */
  readonly isDone: boolean;
  /** Message of the task among the dead. */
  readonly dead: StoredMessage | undefined;
}

/** A verdict, and what is known of its task. */
interface Case extends Verdict {
  found: Found;
}

/** Settlement of delivered tasks, also by another process than the one that pulled them. */
export class NatsSettlement {
  /** Tasks that the worker has told it takes. */
  readonly hints: TakenHints;
  readonly #hub: Hub;
  #fence: string | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.hints = new TakenHints(hub);
  }

  async settle(verdicts: readonly Verdict[], options: SettleOptions): Promise<SettleCounts> {
    const counts = noCounts();
    let left = verdicts;
    // Two verdicts on one task are given one after the other.
    while (left.length > 0) {
      const first = new Map<string, Verdict>();
      const rest: Verdict[] = [];
      for (const verdict of left) {
        if (first.has(verdict.uuid)) rest.push(verdict);
        else first.set(verdict.uuid, verdict);
      }
      await this.#settleEach([...first.values()], options, counts);
      left = rest;
    }
    return counts;
  }

  async #settleEach(
    verdicts: readonly Verdict[],
    { worker, delay = 0, onlyKnown = false }: SettleOptions,
    counts: SettleCounts,
  ): Promise<void> {
    const { link } = this.#hub;
    const told: ToldVerdict[] = [];
    const others: Verdict[] = [];
    for (const verdict of verdicts) {
      const hint = verdict.kind === 'done' ? this.hints.get(verdict.uuid) : undefined;
      if (hint === undefined) others.push(verdict);
      else told.push({ uuid: verdict.uuid, hint });
    }
    const pass = new Pass(this.#hub, delay, onlyKnown);
    const completion = new Completion(this.#hub);
    const outcomes = await link.run(async (session) => {
      const completing = completion.run(session, told);
      if (others.length === 0) return [await completing, []] as const;
      await this.#setFence(session, worker);
      return Promise.all([completing, pass.run(session, others, this.#fence)]);
    });
    for (const { uuid } of told) this.hints.delete(uuid);
    counts.done += outcomes[0];
    counts.gone += told.length - outcomes[0];
    for (const [i, outcome] of outcomes[1].entries()) {
      counts[outcome]++;
      if (outcome === 'unknown' && counts.strangers.length < STRANGERS)
        counts.strangers.push((others[i] as Verdict).uuid);
    }
  }

  /** Restricts failures and returns to deliveries of the worker of this name, if there is one. */
  async #setFence(session: NatsSession, worker: string | undefined): Promise<void> {
    if (worker === undefined || this.#fence !== undefined) return;
    const { names, clock } = this.#hub;
    const sign = await lastMessage(session, names.streams.live, names.known(worker));
    if (sign !== undefined && (await clock.now(session, names)) - sign.time < KNOWN) this.#fence = worker;
  }
}

/** One pass for verdicts on different tasks. It may run again after a lost connection. */
class Pass {
  readonly #hub: Hub;
  readonly #delay: number;
  readonly #onlyKnown: boolean;
  /** Mark of the claims that this pass writes: it knows its own when it runs again. */
  readonly #by = randomUUID();
  /** Tasks that this pass has marked as finished, while they were in the queue. */
  readonly #marked = new Set<string>();
  /** True once it has run; and true while it runs again, so that a mark may be its own. */
  #hasRun = false;
  #isAgain = false;

  constructor(hub: Hub, delay: number, onlyKnown: boolean) {
    this.#hub = hub;
    this.#delay = delay;
    this.#onlyKnown = onlyKnown;
  }

  async run(
    session: NatsSession,
    verdicts: readonly Verdict[],
    fence: string | undefined,
  ): Promise<readonly Outcome[]> {
    const cases: Case[] = await Promise.all(
      verdicts.map(async (verdict) => ({ ...verdict, found: await find(session, this.#hub, verdict.uuid) })),
    );
    const { names } = this.#hub;
    this.#isAgain = this.#hasRun;
    this.#hasRun = true;
    // Tasks are marked before they leave the queue: a crash in between repeats no work.
    const done = cases.filter((one) => one.kind === 'done' && !this.#isUnknown(one));
    // Workers look for such marks from now on: nothing else tells them that a task which waits is finished.
    if (done.some(({ found }) => found.claim?.state !== 'held' && !found.isDone))
      await publish(session, names.marked, '');
    await Promise.all(
      done.map(async ({ uuid, found }) => {
        if (found.isDone) return;
        const [isFirst] = await markDone(session, names, [uuid]);
        if (isInQueue(found) && (isFirst || this.#isAgain)) this.#marked.add(uuid);
      }),
    );
    const ours = cases.filter((one) => one.kind === 'done' || mayTake(one.found, fence));
    this.#tellHolders(session, ours);
    // In order, so that tasks that go back keep theirs.
    return Promise.all(cases.map((one) => this.#move(session, one, fence)));
  }

  #isUnknown({ found, uuid }: Case): boolean {
    const isKnown = found.isDone || isInQueue(found) || this.#marked.has(uuid);
    return this.#onlyKnown && !isKnown;
  }

  /** Informs the workers which of their tasks were settled. */
  #tellHolders(session: NatsSession, cases: readonly Case[]): void {
    const byInstance = new Map<string, [string, number][]>();
    for (const { uuid, found } of cases) {
      const { claim } = found;
      if (claim?.state !== 'held') continue;
      const told = byInstance.get(claim.instance) ?? [];
      told.push([uuid, deliveryOf(claim.ack).order]);
      byInstance.set(claim.instance, told);
    }
    tellSettled(session, this.#hub, byInstance);
  }

  #move(session: NatsSession, one: Case, fence: string | undefined): Promise<Outcome> | Outcome {
    if (this.#isUnknown(one)) return 'unknown';
    return one.kind === 'done' ? this.#complete(session, one) : this.#giveBack(session, one, fence);
  }

  /** Lets a finished task leave the queue, whichever worker has it. */
  async #complete(session: NatsSession, { uuid, found }: Case): Promise<Outcome> {
    const { names } = this.#hub;
    const { claim, task, dead } = found;
    const wasIn = (found.isDone && isInQueue(found)) || this.#marked.has(uuid);
    const leave =
      claim?.state === 'held'
        ? acknowledge(session, claim.ack)
        : task && deleteMessage(session, names.streams.tasks, task.seq);
    const [isOurs] = await Promise.all([
      claim === undefined ? true : deleteClaim(session, names, claim.seq),
      ...[dead && deleteMessage(session, names.streams.dead, dead.seq), leave],
    ]);
    return wasIn && isOurs ? 'done' : 'gone';
  }

  async #giveBack(session: NatsSession, one: Case, fence: string | undefined): Promise<Outcome> {
    const { kind, uuid } = one;
    const { names, clock } = this.#hub;
    for (let round = 0, { found } = one; round < ROUNDS; round++) {
      const { claim } = found;
      if (claim?.by === this.#by) return this.#finish(session, claim, kind);
      if (claim === undefined || !mayTake(found, fence) || (await this.#isDone(session, uuid))) return 'gone';
      const hasFailed = kind === 'failed';
      const tries = claim.tries + (hasFailed ? 1 : 0);
      const next: Claim = { ...claim, ...NO_HISTORY, tries, by: this.#by, due: undefined };
      if (hasFailed && (one.isFinal || tries >= claim.attempts)) {
        const data = await this.#lineOf(session, uuid);
        if (data === undefined) return 'gone';
        const { deaths } = claim; // they count as deliveries
        const dead = { ...next, deaths, error: one.error ?? UNKNOWN };
        if (await bury(session, this.#hub, dead, claim.seq, data)) return 'dead';
      } else {
        const delay = hasFailed ? this.#delay : 0;
        const due = delay > 0 ? (await clock.now(session, names)) + delay : undefined;
        const free: Claim = { ...next, state: 'free', due };
        const seq = await writeClaim(session, names, free, claim.seq);
        if (seq !== undefined) return this.#finish(session, { ...free, seq, time: 0 }, kind);
      }
      found = await find(session, this.#hub, uuid);
    }
    return 'gone';
  }

  /** Does what remains after the claim was written. */
  async #finish(session: NatsSession, claim: StoredClaim, kind: Verdict['kind']): Promise<Outcome> {
    if (claim.state === 'dead') {
      const data = await this.#lineOf(session, claim.uuid);
      if (data !== undefined) await finishBurial(session, this.#hub, claim, data);
      return 'dead';
    }
    await deliverAgain(session, claim.ack, claim.due === undefined ? 0 : this.#delay);
    return kind === 'back' ? 'back' : 'again';
  }

  async #lineOf(session: NatsSession, uuid: string): Promise<Uint8Array | undefined> {
    const { names } = this.#hub;
    return (await lastMessage(session, names.streams.tasks, names.of('tasks', uuid)))?.data;
  }

  async #isDone(session: NatsSession, uuid: string): Promise<boolean> {
    const { names } = this.#hub;
    return (await lastMessage(session, names.streams.done, names.of('done', uuid))) !== undefined;
  }
}

function isInQueue({ claim, task, dead }: Found): boolean {
  return claim?.state === 'held' || task !== undefined || dead !== undefined;
}

/** Returns whether a failure may take the task from its holder. */
function mayTake({ claim }: Found, fence: string | undefined): boolean {
  return claim?.state === 'held' && (fence === undefined || claim.worker === fence);
}

/** Finds out where a task is. */
export async function find(session: NatsSession, { names }: Hub, uuid: string): Promise<Found> {
  const last = (kind: 'tasks' | 'done' | 'dead'): Promise<StoredMessage | undefined> =>
    lastMessage(session, names.streams[kind], names.of(kind, uuid));
  const task = await last('tasks');
  const lastClaim = task && (await readClaim(session, names, task.seq, uuid));
  const found = {
    task,
    last: lastClaim?.seq ?? 0,
    claim: lastClaim?.task === task?.seq ? lastClaim : undefined,
  };
  if (found.claim?.state === 'held') return { ...found, isDone: false, dead: undefined };
  const done = await last('done');
  const dead = task === undefined ? await last('dead') : undefined;
  return { ...found, isDone: done !== undefined, dead };
}
