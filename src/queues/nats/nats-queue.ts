import { TaskpipeError } from '../../core/base/errors.ts';
import type { NatsSession, NatsSettings } from '../../core/nats/contract.ts';
import { callApi, deleteMessage, publish } from '../../core/nats/jetstream.ts';
import type { NatsAddress } from '../../core/nats/nats-address.ts';
import { openNats } from '../../core/nats/nats-link.ts';
import { IN_QUEUE, type Queue, type Queues } from '../contract.ts';
import { deleteClaim, NO_HISTORY, writeClaim } from './nats-claims.ts';
import { openConsumer } from './nats-consume.ts';
import { causesOf, deadTasks, retryDead, retryThese } from './nats-dead.ts';
import { type Hub, isPaused, leaseLeft, liveWorkers, ServerClock, setPaused } from './nats-hub.ts';
import { QueueNames } from './nats-names.ts';
import { push } from './nats-push.ts';
import { find, NatsSettlement } from './nats-settle.ts';
import { latencyOf, sizeOf } from './nats-size.ts';
import { makeStreams } from './nats-streams.ts';

/**
 * Opens queues of these names.
 * @throws {TaskpipeError} `USAGE` if a queue is only in memory, or something is asked for that NATS cannot do; `IO` if the
 *   server cannot be reached
 */
export async function openNatsQueues(
  address: NatsAddress,
  names: readonly string[],
  settings: NatsSettings & { readonly volatile?: boolean | undefined },
): Promise<Queues> {
  if (names.length === 0) refuseShared();
  const link = openNats(address, settings);
  const clock = new ServerClock();
  const hubs = names.map((name): Hub => ({ name, link, clock, names: new QueueNames(name) }));
  try {
    await link.run(async (session) => {
      for (const hub of hubs) await makeStreams(session, hub.names, address, settings.volatile === true);
    });
  } catch (error) {
    link.close();
    throw error;
  }
  return {
    all: hubs.map(natsQueue),
    place: address.place,
    turn: refuseShared,
    charge: refuseShared,
    correct: refuseShared,
    close: () => link.close(),
  };
}

function refuseShared(): never {
  throw new TaskpipeError(
    'USAGE',
    'NATS cannot count starts or costs for all machines in one step, so --shared needs Redis or PostgreSQL: --queue redis://HOST:PORT/0 or postgres://HOST/DATABASE',
  );
}

function natsQueue(hub: Hub): Queue {
  const { name, names, link } = hub;
  const settlement = new NatsSettlement(hub);
  const run = <T>(work: (session: NatsSession, hub: Hub) => Promise<T>): Promise<T> =>
    link.run((session) => work(session, hub));
  return {
    name,
    push: (tasks, options = {}) => push(hub, tasks, options),
    settle: (verdicts, options = {}) => settlement.settle(verdicts, options),
    claims: (uuids, worker) =>
      run((session) => Promise.all(uuids.map((uuid) => claimOn(session, hub, uuid, worker)))),
    keepSettling: (worker) => {
      settlement.hints.listenTo(worker);
      return run(async (session) => session.tell(names.settling(worker)));
    },
    endSettling: (worker) =>
      run(async (session) => {
        session.tell(names.settling(worker), 'end');
        await session.flush();
      }),
    consume: (options) => openConsumer(hub, options),
    size: () => run(sizeOf),
    causes: () => run(causesOf),
    latency: () => run(latencyOf),
    dead: () => deadTasks(hub),
    retry: () => run(retryDead),
    retryThese: (uuids) => run((session) => retryThese(session, hub, uuids)),
    remove: (uuids) =>
      run(async (session) => {
        const removed = await Promise.all(uuids.map((uuid) => remove(session, hub, uuid)));
        return uuids.filter((_, i) => removed[i]);
      }),
    async front() {
      throw new TaskpipeError(
        'USAGE',
        'NATS delivers tasks in the order in which they came, and cannot move one to the front',
      );
    },
    clear: () => run(clear),
    pause: () => run((session) => setPaused(session, hub, true)),
    resume: () => run((session) => setPaused(session, hub, false)),
    isPaused: () => run(isPaused),
    stop: (worker) =>
      run(async (session) => {
        const workers = await liveWorkers(session, hub);
        const asked = workers.filter((one) => worker === undefined || one.worker === worker);
        for (const { instance } of asked) await publish(session, names.stop(instance), '');
        return asked.length;
      }),
  };
}

/** Returns the claim of the queue on a task; see `Queue.claims`. */
async function claimOn(
  session: NatsSession,
  hub: Hub,
  uuid: string,
  worker: string | undefined,
): Promise<number> {
  const { claim, task, dead, isDone } = await find(session, hub, uuid);
  if (claim?.state === 'held') return worker === undefined || claim.worker === worker ? 3 : IN_QUEUE;
  if (task !== undefined || dead !== undefined) return isDone ? 1 : IN_QUEUE;
  return isDone ? 1 : 0;
}

/** Removes a task. One that a worker has stays. Returns whether it was removed. */
async function remove(session: NatsSession, hub: Hub, uuid: string): Promise<boolean> {
  const { names } = hub;
  const { claim, last, task, dead } = await find(session, hub, uuid);
  if (claim?.state === 'held' && (await leaseLeft(session, hub, claim)) > 0) return false;
  if (dead !== undefined) await deleteMessage(session, names.streams.dead, dead.seq);
  if (task === undefined) return dead !== undefined;
  // The claim decides whether the task is removed, or a worker takes it.
  const seq = await writeClaim(
    session,
    names,
    {
      ...{ state: 'gone', uuid, task: task.seq, ack: '', attempts: 0, worker: '', instance: '', lease: 0 },
      ...NO_HISTORY,
    },
    last,
  );
  if (seq === undefined) return false;
  // Deleted, not acknowledged: since 2.10, servers ignore the acknowledgement of a message before its delivery.
  await deleteMessage(session, names.streams.tasks, task.seq);
  await deleteClaim(session, names, seq);
  return true;
}

/** Removes all tasks, first those that could be delivered. */
async function clear(session: NatsSession, { names: { streams } }: Hub): Promise<void> {
  for (const stream of [streams.tasks, streams.claims, streams.dead])
    await callApi(session, `STREAM.PURGE.${stream}`);
}
