import type { NatsSession } from '../../core/nats/contract.ts';
import {
  deleteMessage,
  lastMessage,
  publish,
  publishFirst,
  type StoredMessage,
  scan,
  textOf,
} from '../../core/nats/jetstream.ts';
import { JetStreamError, WRONG_LAST } from '../../core/nats/nats-faults.ts';
import type { Failure } from '../../core/record/task.ts';
import type { QueueNames } from './nats-names.ts';

/*
 * A claim is the last message of a subject that each task has. It is written when the task is delivered, before any stage
 * has it, and says who has it. JetStream stores it only if the last message of the subject is the one that the writer has
 * read, so that one process wins if several change it: a verdict counts once, whichever process gives it. A claim is
 * written before the task is acknowledged or given back, so that a verdict survives the death of its process: the next
 * worker that gets the task reads it.
 */

/** History of a task, which the next delivery takes over. */
export interface TaskHistory {
  /** Verdicts of failure. */
  readonly tries: number;
  /** Deaths of a worker that had the task. */
  readonly deaths: number;
  /** Number of tasks that were in flight together at the last death; 0 if it is unknown. */
  readonly group: number;
  /** Number of deliveries alone that have no verdict. */
  readonly alone: number;
  /** Number of finished tasks of the queue when it died the last time. */
  readonly finished: number;
}

export const NO_HISTORY: TaskHistory = { tries: 0, deaths: 0, group: 0, alone: 0, finished: 0 };

/** Claim on a task. */
export interface Claim extends TaskHistory {
  /**
   * `held`: a worker has it. `free`: it waits for its next delivery. `dead` and `gone`: it is about to leave the queue, as it
   * is dead, or was removed.
   */
  readonly state: 'held' | 'free' | 'dead' | 'gone';
  readonly uuid: string;
  /** Number of the task's message. A claim on an earlier message of the uuid is void. */
  readonly task: number;
  /** Subject to which the delivery is acknowledged. */
  readonly ack: string;
  readonly attempts: number;
  readonly worker: string;
  readonly instance: string;
  /** Time that the worker keeps the task without a sign of life, in milliseconds. */
  readonly lease: number;
  /** Time from which a free task may be delivered, by the clock of the server, in milliseconds since the epoch. */
  readonly due?: number | undefined;
  readonly error?: Failure | undefined;
  /** Mark of the call that has written it. */
  readonly by?: string | undefined;
}

/** Claim as it is stored. */
export interface StoredClaim extends Claim {
  /** Number of its message. */
  readonly seq: number;
  /** Time at which it was written, by the clock of the server, in milliseconds since the epoch. */
  readonly time: number;
}

function claimIn(message: StoredMessage): StoredClaim {
  const claim = JSON.parse(textOf(message.data)) as Claim;
  return { ...claim, seq: message.seq, time: message.time };
}

/**
 * Returns the last claim on a task; undefined if there is none. It may be one on an earlier message of the uuid.
 * @param task number of its message
 */
export async function readClaim(
  session: NatsSession,
  names: QueueNames,
  task: number,
  uuid: string,
): Promise<StoredClaim | undefined> {
  const message = await lastMessage(session, names.streams.claims, names.claim(task, uuid));
  return message === undefined ? undefined : claimIn(message);
}

/**
 * Writes a claim if the last one is the given one.
 * @param last number of the last claim; 0 if there is none
 * @returns the number of the claim; undefined if another process has written one meanwhile
 */
export async function writeClaim(
  session: NatsSession,
  names: QueueNames,
  claim: Claim,
  last: number,
): Promise<number | undefined> {
  try {
    const headers = { 'Nats-Expected-Last-Subject-Sequence': last };
    return await publish(session, names.claim(claim.task, claim.uuid), claimText(claim), headers);
  } catch (error) {
    if (error instanceof JetStreamError && error.number === WRONG_LAST) return undefined;
    throw error;
  }
}

/**
 * Writes claims on tasks that have none.
 * @returns the number of each; undefined if there is one
 */
export function writeFirstClaims(
  session: NatsSession,
  names: QueueNames,
  claims: readonly Claim[],
): Promise<readonly (number | undefined)[]> {
  return publishFirst(
    session,
    claims.map((claim) => [names.claim(claim.task, claim.uuid), claimText(claim)]),
  );
}

/** Returns a claim as JSON. There is one for each task: this takes a third of the time of `JSON.stringify`. */
function claimText({ state, uuid, task, ack, attempts, worker, instance, lease, ...more }: Claim): string {
  const { tries, deaths, group, alone, finished, due, error, by } = more;
  const rare = due === undefined && error === undefined && by === undefined ? '' : rareOf({ due, error, by });
  return (
    `{"state":"${state}","uuid":${JSON.stringify(uuid)},"task":${task},"ack":${JSON.stringify(ack)},` +
    `"attempts":${attempts},"worker":${JSON.stringify(worker)},"instance":"${instance}","lease":${lease},` +
    `"tries":${tries},"deaths":${deaths},"group":${group},"alone":${alone},"finished":${finished}${rare}}`
  );
}

function rareOf(fields: Pick<Claim, 'due' | 'error' | 'by'>): string {
  return `,${JSON.stringify(fields).slice(1, -1)}`;
}

/**
 * Returns the history of a task after one more death. A death counts half if no task of the queue was finished since the last
 * one: then the pipe itself may be broken.
 * @param finished number of finished tasks of the queue
 */
export function afterDeath(history: TaskHistory, finished: number): TaskHistory {
  const isWorking = history.deaths === 0 || finished > history.finished;
  return { ...history, deaths: history.deaths + (isWorking ? 1 : 0.5), finished };
}

/** Deletes a claim, unless another one has taken its place. */
export function deleteClaim(session: NatsSession, names: QueueNames, seq: number): Promise<boolean> {
  return deleteMessage(session, names.streams.claims, seq);
}

/** Returns all claims. */
export async function allClaims(session: NatsSession, names: QueueNames): Promise<readonly StoredClaim[]> {
  const claims: StoredClaim[] = [];
  for await (const batch of scan(session, names.streams.claims, names.all('claims')))
    for (const message of batch) claims.push(claimIn(message));
  return claims;
}

/**
 * Returns the claims whose tasks are not finished. A finished task may leave its claim behind, until all tasks of its bucket
 * are finished.
 */
export async function openClaims(session: NatsSession, names: QueueNames): Promise<readonly StoredClaim[]> {
  const claims = await allClaims(session, names);
  const marks = await Promise.all(
    claims.map(({ uuid }) => lastMessage(session, names.streams.done, names.of('done', uuid))),
  );
  return claims.filter((_, i) => marks[i] === undefined);
}

/**
 * Longest wait for the reply to an acknowledgement, in milliseconds. Servers since 2.10 do not reply to that of a
 * delivery that a recreated consumer has not repeated yet: that task will be found to be finished.
 */
const UNANSWERED = 2000;

/** Acknowledges a task: it leaves the queue. Harmless if it has left before. */
export async function acknowledge(session: NatsSession, ack: string): Promise<void> {
  const { status } = (await session.askWithin(UNANSWERED, ack, '+ACK')) ?? { status: 0 };
  if (status !== 0) throw new JetStreamError(status, 'the consumer does not answer');
}

/** Rejects a delivery, so that the task is delivered again. @param delay in milliseconds */
export async function deliverAgain(session: NatsSession, ack: string, delay: number): Promise<void> {
  const { status } = await session.ask(
    ack,
    delay > 0 ? `-NAK {"delay": ${Math.round(delay * 1e6)}}` : '-NAK',
  );
  if (status !== 0) throw new JetStreamError(status, 'the consumer does not answer');
}
