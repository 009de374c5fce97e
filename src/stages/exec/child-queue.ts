import type { Child } from '../../executors/contract.ts';
import { IN_QUEUE } from '../../queues/contract.ts';
import type { PushCounts, Queue } from '../../queues/index.ts';
import { shareOut } from '../queue/push.ts';

/** Queue for added tasks, so that any worker can run them, not only the process that added them. */
export interface ChildQueue {
  /** Adds tasks. Resolves when other workers can take them. */
  add(children: readonly Child[]): Promise<PushCounts>;
  /**
   * Marks a task as finished, even if another process finished it. A worker that has it must not acknowledge it any
   * more.
   */
  done(uuid: string): void;
  /** Returns which of these tasks are in the queue, or with a worker, once all marks of `done` are set. */
  live(uuids: readonly string[]): Promise<ReadonlySet<string>>;
  /** Waits until all marks of `done` are set. @throws {TaskpipeError} `IO` if one could not be set */
  close(): Promise<void>;
}

/** Returns a queue that sends each child to the queue that its `handler` names, else to the first one. */
export function childQueue(queues: readonly Queue[]): ChildQueue {
  let finished: Promise<void> = Promise.resolve();
  const finish = async (uuid: string): Promise<void> => {
    const claims = await Promise.all(queues.map((queue) => queue.claims([uuid], undefined)));
    const at = claims.findIndex(([claim = 0]) => claim >= IN_QUEUE);
    await queues[Math.max(0, at)]?.settle([{ uuid, kind: 'done' }]);
  };
  return {
    async add(children) {
      await finished;
      const counts: PushCounts = { added: 0, seen: 0, done: 0 };
      for (const front of [true, false]) {
        for (const again of [true, false]) {
          const some = children.filter((child) => child.front === front && child.again === again);
          if (some.length === 0) continue;
          const tasks = some.map(({ task }) => task);
          await shareOut(tasks, queues, { front, again, repeat: again }, counts);
        }
      }
      return counts;
    },
    done(uuid) {
      finished = finished.then(() => finish(uuid));
      finished.catch(() => {}); // thrown where it is awaited
    },
    async live(uuids) {
      await finished;
      const claims = await Promise.all(queues.map((queue) => queue.claims(uuids, undefined)));
      return new Set(uuids.filter((_, i) => claims.some((claim) => (claim[i] ?? 0) >= IN_QUEUE)));
    },
    close: () => finished,
  };
}
