import { setTimeout as after } from 'node:timers/promises';
import { TaskpipeError } from '../../core/base/errors.ts';
import type { NatsSession } from '../../core/nats/contract.ts';
import { callApi, lastMessage, publish, stateOf } from '../../core/nats/jetstream.ts';
import type { NatsAddress } from '../../core/nats/nats-address.ts';
import {
  JetStreamError,
  NAME_TAKEN,
  NO_CONSUMER,
  NO_STREAM,
  SUBJECTS_TAKEN,
  WRONG_LAST,
} from '../../core/nats/nats-faults.ts';
import { CONSUMER, type QueueNames, type Streams } from './nats-names.ts';

/** Oldest version of the server that has all we use: it takes a subject only once (`discard_new_per_subject`). */
const OLDEST = [2, 9] as const;

/** Lease until the first worker comes, in milliseconds. */
const FIRST_LEASE = 30_000;

/** Parts of the configuration of a stream that a queue depends on. */
interface StreamConfig {
  readonly subjects: readonly string[];
  readonly retention: 'limits' | 'workqueue';
  readonly max_msgs_per_subject: number;
  readonly discard: 'old' | 'new';
  readonly discard_new_per_subject?: boolean;
  readonly storage?: 'file' | 'memory';
  readonly max_age?: number;
}

/** @throws {TaskpipeError} `IO` if the server is too old */
export function checkVersion({ version }: NatsSession, { place }: NatsAddress): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  throw new TaskpipeError('IO', `${place}: needs nats-server ${OLDEST.join('.')} or later; it is ${version}`);
}

/**
 * Makes the streams of a queue, unless they are there.
 * @throws {TaskpipeError} `DATA` if streams of these names belong to another program; `USAGE` if one is only in memory
 */
export async function makeStreams(
  session: NatsSession,
  names: QueueNames,
  { place, replicas }: NatsAddress,
  isVolatile: boolean,
): Promise<void> {
  checkVersion(session, { place } as NatsAddress);
  for (const [kind, name] of Object.entries(names.streams)) {
    const wanted = configOf(kind as keyof Streams, names);
    const copies = { num_replicas: replicas, allow_direct: replicas === 1 };
    const found =
      (await infoOf(session, name)) ??
      (await createStream(session, name, { name, storage: 'file', ...wanted, ...copies }));
    if (found === undefined) continue;
    for (const [key, value] of Object.entries(wanted))
      if (JSON.stringify(found[key as keyof StreamConfig]) !== JSON.stringify(value))
        throw new TaskpipeError(
          'DATA',
          `${place}: the stream ${name} has another ${key} than a queue needs; another program may have made it. Nothing was changed`,
        );
    if (found.storage === 'memory' && !isVolatile)
      throw new TaskpipeError(
        'USAGE',
        `${place}: the stream ${name} is only in memory, so that a restart of the server loses tasks; use file storage, or accept it with --volatile`,
      );
  }
  // Without a consumer, nothing could be acknowledged, and so nothing be removed.
  await restoreConsumer(session, names, FIRST_LEASE);
}

/** Creates the consumer again if another program has deleted it. Returns whether it has. */
export async function restoreConsumer(
  session: NatsSession,
  names: QueueNames,
  lease: number,
): Promise<boolean> {
  if ((await consumerOf(session, names.streams)) !== undefined) return false;
  await noteRenewal(session, names);
  await makeConsumer(session, names.streams, lease);
  return true;
}

/** Longest wait for a stream that another process creates, in milliseconds. */
const APPEARS = 2000;

/** Makes a stream. Returns the configuration of the stream if another process makes it at the same time. */
async function createStream(
  session: NatsSession,
  name: string,
  config: object,
): Promise<StreamConfig | undefined> {
  try {
    await callApi(session, `STREAM.CREATE.${name}`, config);
    return undefined;
  } catch (error) {
    const isTaken =
      error instanceof JetStreamError && (error.number === SUBJECTS_TAKEN || error.number === NAME_TAKEN);
    if (!isTaken) throw error;
    for (const end = performance.now() + APPEARS; performance.now() < end; await after(20)) {
      const found = await infoOf(session, name);
      if (found !== undefined) return found;
    }
    throw error; // the subjects are those of another stream
  }
}

function configOf(kind: keyof Streams, names: QueueNames): StreamConfig {
  // A full stream refuses messages, and never forgets one to make room.
  const common = {
    subjects: [names.all(kind)],
    max_msgs_per_subject: 1,
    discard: 'new',
    max_age: 0,
  } as const;
  return kind === 'tasks'
    ? { ...common, retention: 'workqueue', discard_new_per_subject: true }
    : { ...common, retention: 'limits' };
}

async function infoOf(session: NatsSession, name: string): Promise<StreamConfig | undefined> {
  try {
    return (await callApi<{ config: StreamConfig }>(session, `STREAM.INFO.${name}`)).config;
  } catch (error) {
    if (error instanceof JetStreamError && error.number === NO_STREAM) return undefined;
    throw error;
  }
}

/** Parts of the state of a consumer. */
export interface ConsumerState {
  /** Time after which a task that was not acknowledged is delivered again, in nanoseconds. */
  readonly config: { readonly ack_wait: number };
  readonly delivered: { readonly stream_seq: number };
  readonly num_pending: number;
}

/** Returns the state of the consumer; undefined if no worker has made it yet. */
export async function consumerOf(
  session: NatsSession,
  { tasks }: Streams,
): Promise<ConsumerState | undefined> {
  try {
    return await callApi<ConsumerState>(session, `CONSUMER.INFO.${tasks}.${CONSUMER}`);
  } catch (error) {
    if (error instanceof JetStreamError && error.number === NO_CONSUMER) return undefined;
    throw error;
  }
}

/** Makes the consumer, or changes its lease. @param lease in milliseconds */
export async function makeConsumer(session: NatsSession, { tasks }: Streams, lease: number): Promise<void> {
  await callApi(session, `CONSUMER.DURABLE.CREATE.${tasks}.${CONSUMER}`, {
    stream_name: tasks,
    config: {
      ...{ durable_name: CONSUMER, ack_policy: 'explicit', ack_wait: lease * 1e6, deliver_policy: 'all' },
      ...{ replay_policy: 'instant', max_deliver: -1, max_ack_pending: -1, max_waiting: 512 },
    },
  });
}

/** Time after which another process makes the consumer if the one that began has not, in milliseconds. */
const MAKING = 5000;

/**
 * Creates the consumer again if the server was started since it was made. A server that crashes may forget its last
 * deletions: tasks that were acknowledged are in the stream again, and a consumer that knows they were would never deliver
 * them. A new one delivers all tasks, and their claims and marks tell which of them must not be run. In a cluster, copies
 * keep the deletions.
 * @param now time of the server, in milliseconds since the epoch
 */
export async function renewConsumer(session: NatsSession, names: QueueNames, now: number): Promise<void> {
  const { tasks, live } = names.streams;
  const last = await lastMessage(session, live, names.server);
  const [id, state] = Buffer.from(last?.data ?? '')
    .toString()
    .split(':');
  const isBegun = last !== undefined && state === 'begun' && now - last.time < MAKING;
  if (id === session.serverId && (state === 'made' || isBegun)) return;
  const headers = { 'Nats-Expected-Last-Subject-Sequence': last?.seq ?? 0 };
  try {
    await publish(session, names.server, `${session.serverId}:begun`, headers);
  } catch (error) {
    if (error instanceof JetStreamError && error.number === WRONG_LAST) return; // another process does it
    throw error;
  }
  const lease = (await consumerOf(session, names.streams))?.config.ack_wait ?? FIRST_LEASE * 1e6;
  // The first worker of a queue does not create the consumer again: a task that is delivered for the first time is not finished.
  const isFirst = last === undefined && (await isUntouched(session, names));
  if (!isFirst) await noteRenewal(session, names);
  if (last !== undefined) await callApi(session, `CONSUMER.DELETE.${tasks}.${CONSUMER}`).catch(ignoreMissing);
  await makeConsumer(session, names.streams, lease / 1e6);
  await publish(session, names.server, `${session.serverId}:made`);
}

/** Returns whether no task of a queue was ever taken or finished. */
async function isUntouched(
  session: NatsSession,
  { streams: { claims, done } }: QueueNames,
): Promise<boolean> {
  const states = await Promise.all([claims, done].map((stream) => stateOf(session, stream)));
  return states.every(({ last_seq }) => last_seq === 0);
}

/** Notes that the tasks which are there now are delivered as if for the first time, although some may be finished. */
async function noteRenewal(session: NatsSession, names: QueueNames): Promise<void> {
  const { last_seq } = await stateOf(session, names.streams.tasks);
  if (last_seq > 0) await publish(session, names.renewed, String(last_seq));
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof JetStreamError && error.number === NO_CONSUMER)) throw error;
}
