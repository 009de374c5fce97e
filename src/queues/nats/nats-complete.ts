import type { NatsSession } from '../../core/nats/contract.ts';
import { deliveryOf, publishFirst } from '../../core/nats/jetstream.ts';
import { acknowledge } from './nats-claims.ts';
import { type Hint, tellSettled } from './nats-hints.ts';
import type { Hub } from './nats-hub.ts';
import type { QueueNames } from './nats-names.ts';

/** Marks tasks as finished. Returns for each whether it was not marked before. */
export async function markDone(
  session: NatsSession,
  names: QueueNames,
  uuids: readonly string[],
): Promise<readonly boolean[]> {
  const marks = await publishFirst(
    session,
    uuids.map((uuid) => [names.of('done', uuid), '']),
  );
  return marks.map((seq) => seq !== undefined);
}

/** Success of a task of which a worker has told that it has it. */
export interface ToldVerdict {
  readonly uuid: string;
  readonly hint: Hint;
}

/**
 * Completion of tasks of which a worker has told that it has them: most of all tasks. It reads nothing, and takes three
 * messages for each task. The claim stays behind: it means nothing without its task, and the worker removes it.
 */
export class Completion {
  readonly #hub: Hub;
  #hasRun = false;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Marks tasks as finished, and lets them leave the queue. Returns the number of those that were not finished before. */
  async run(session: NatsSession, all: readonly ToldVerdict[]): Promise<number> {
    if (all.length === 0) return 0;
    const { names } = this.#hub;
    const isAgain = this.#hasRun;
    this.#hasRun = true;
    // Tasks are marked before they leave the queue: a crash in between repeats no work.
    const marks = await markDone(
      session,
      names,
      all.map(({ uuid }) => uuid),
    );
    const byInstance = new Map<string, [string, number][]>();
    for (const { uuid, hint } of all) {
      const told = byInstance.get(hint.instance) ?? [];
      told.push([uuid, deliveryOf(hint.ack).order]);
      byInstance.set(hint.instance, told);
    }
    tellSettled(session, this.#hub, byInstance);
    // The server handles acknowledgements in order: the answer to the last one is the answer to all. One that is lost
    // leaves a task in the queue that is marked as finished, so that it is not run again.
    for (const { hint } of all.slice(0, -1)) session.tell(hint.ack, '+ACK');
    await acknowledge(session, (all.at(-1) as ToldVerdict).hint.ack);
    // If it runs again after a lost connection, the marks are its own.
    return isAgain ? all.length : marks.filter(Boolean).length;
  }
}
