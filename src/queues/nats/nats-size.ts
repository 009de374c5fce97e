import type { NatsSession } from '../../core/nats/contract.ts';
import { messageOf, stateOf } from '../../core/nats/jetstream.ts';
import type { Size } from '../contract.ts';
import { allClaims, openClaims, type StoredClaim } from './nats-claims.ts';
import { type Hub, isPaused, liveWorkers } from './nats-hub.ts';
import { consumerOf } from './nats-streams.ts';

/** Counts the tasks by state. A task whose lease has expired waits: it is delivered when a worker asks for tasks. */
export async function sizeOf(session: NatsSession, hub: Hub): Promise<Size> {
  const { names, clock } = hub;
  const [claims, workers, tasks, dead, done, paused, now] = await Promise.all([
    openClaims(session, names),
    liveWorkers(session, hub),
    stateOf(session, names.streams.tasks),
    stateOf(session, names.streams.dead),
    stateOf(session, names.streams.done),
    isPaused(session, hub),
    clock.now(session, names),
  ]);
  const byInstance = new Map(workers.map((worker) => [worker.instance, worker]));
  const isActive = ({ instance, time, lease, state }: StoredClaim): boolean => {
    const silence = Math.min(now - time, byInstance.get(instance)?.silence ?? Number.POSITIVE_INFINITY);
    return state === 'held' && silence < lease;
  };
  const active = claims.filter(isActive);
  const delayed = claims.filter(
    ({ state, due }) => state === 'free' && due !== undefined && due > now,
  ).length;
  return {
    waiting: Math.max(0, tasks.messages - active.length - delayed),
    ...{ delayed, active: active.length, dead: dead.messages, finished: done.messages, paused },
    workers: workers.map(({ worker, instance }) => ({
      worker,
      out: active.filter((claim) => claim.instance === instance).length,
    })),
  };
}

/** Returns the time since the task that is delivered next was added, in milliseconds; 0 if none waits. */
export async function latencyOf(session: NatsSession, { names, clock }: Hub): Promise<number> {
  const now = await clock.now(session, names);
  const { tasks } = names.streams;
  // Tasks that were given back come first.
  const free = (await allClaims(session, names)).filter(
    ({ state, due = 0 }) => state === 'free' && due <= now,
  );
  const first = Math.min(...free.map(({ task }) => task));
  const delivered = (await consumerOf(session, names.streams))?.delivered.stream_seq ?? 0;
  const question =
    free.length > 0 ? { seq: first } : { seq: delivered + 1, next_by_subj: names.all('tasks') };
  const next = await messageOf(session, tasks, question);
  return next === undefined ? 0 : Math.max(0, now - next.time);
}
