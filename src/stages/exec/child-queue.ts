import type { Child } from '../../executors/contract.ts';
import type { PushCounts, Queue } from '../../queues/index.ts';
import { shareOut } from '../queue/push.ts';

/** Where the tasks go that work has found, in place of the process that found them. */
export interface ChildQueue {
  /** Resolves when others can take them. */
  add(children: readonly Child[]): Promise<PushCounts>;
  /** A task is finished, by this process or another. */
  done(uuid: string): void;
  /** @throws {TaskpipeError} `IO`, where something could not be said to be done */
  close(): Promise<void>;
}

/** A child goes to the queue that has the name of its `handler`, else to the first. */
export function childQueue(queues: readonly Queue[]): ChildQueue {
  let finished: Promise<void> = Promise.resolve();
  const finish = async (uuid: string): Promise<void> => {
    const claims = await Promise.all(queues.map((queue) => queue.claims([uuid], undefined)));
    const at = claims.findIndex(([claim = 0]) => claim > 0);
    await queues[Math.max(0, at)]?.finish([uuid]);
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
          await shareOut(tasks, queues, { front, again }, counts);
        }
      }
      return counts;
    },
    done(uuid) {
      finished = finished.then(() => finish(uuid));
      finished.catch(() => {}); // is thrown where it is awaited
    },
    close: () => finished,
  };
}
