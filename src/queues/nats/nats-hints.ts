import type { NatsSession } from '../../core/nats/contract.ts';
import { textOf } from '../../core/nats/jetstream.ts';
import type { Hub } from './nats-hub.ts';

/*
 * `pull` tells `ack` what it takes, in a few messages that are not stored, so that `ack` need not read the claim of each
 * task. A hint that is lost costs time only: the claim is read then.
 */

/** Maximum number of hints that are kept: of tasks that another process settles, too. */
const MOST = 20_000;
/** Number of tasks in one message: a server may take 64 KB, and a uuid have a kilobyte. */
const EACH = 50;

/** Delivery of a task, as its worker has told it. */
export interface Hint {
  readonly instance: string;
  /** Subject to which the delivery is acknowledged. */
  readonly ack: string;
}

/** Uuid of a task, and the subject to which its delivery is acknowledged. */
export type Taken = readonly [uuid: string, ack: string];

/** Message of a worker. The subjects lack the beginning that all of them share. */
interface Told {
  readonly instance: string;
  readonly prefix: string;
  readonly tasks: readonly Taken[];
}

/**
 * Informs the process that settles the tasks of a worker about the tasks that the worker is going to take. The message leaves before the
 * tasks are claimed, so that it arrives before they do. A hint on a task that is not claimed in the end does no harm.
 */
export function tellTaken(
  session: NatsSession,
  { names }: Hub,
  { worker, instance }: { readonly worker: string; readonly instance: string },
  taken: readonly Taken[],
): void {
  for (let at = 0; at < taken.length; at += EACH) {
    const some = taken.slice(at, at + EACH);
    const [, first] = some[0] as Taken;
    const prefix = first.slice(0, first.indexOf('.', '$JS.ACK.'.length) + 1);
    const tasks = some.map(([uuid, ack]): Taken => [uuid, ack.slice(prefix.length)]);
    session.tell(names.taken(worker), JSON.stringify({ instance, prefix, tasks } satisfies Told));
  }
}

/** Informs workers which of their tasks were settled. A worker that misses the message finds out when it renews leases. */
export function tellSettled(
  session: NatsSession,
  { names }: Hub,
  byInstance: ReadonlyMap<string, readonly (readonly [uuid: string, order: number])[]>,
): void {
  for (const [instance, told] of byInstance)
    for (let at = 0; at < told.length; at += EACH)
      session.tell(names.settled(instance), JSON.stringify(told.slice(at, at + EACH)));
}

/** Hints of the workers of a name. */
export class TakenHints {
  readonly #hub: Hub;
  readonly #all = new Map<string, Hint>();
  #worker: string | undefined;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  /** Listens to the workers of this name from now on. Only the first name counts: a process settles those of one. */
  listenTo(worker: string): void {
    if (this.#worker !== undefined) return;
    this.#worker = worker;
    const { link, names } = this.#hub;
    link.onConnection((session) => {
      session.listen(names.taken(worker), ({ data }) => this.#hear(data));
    });
  }

  get(uuid: string): Hint | undefined {
    return this.#all.get(uuid);
  }

  delete(uuid: string): void {
    this.#all.delete(uuid);
  }

  #hear(data: Uint8Array): void {
    const { instance, prefix, tasks } = JSON.parse(textOf(data)) as Told;
    for (const [uuid, rest] of tasks) {
      this.#all.delete(uuid); // the oldest are forgotten first
      this.#all.set(uuid, { instance, ack: prefix + rest });
    }
    for (const uuid of this.#all.keys()) {
      if (this.#all.size <= MOST) break;
      this.#all.delete(uuid);
    }
  }
}
