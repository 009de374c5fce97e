import { setTimeout as sleep } from 'node:timers/promises';
import type { Rate } from '../../core/schedule/rate.ts';
import type { Executor } from '../../executors/contract.ts';
import type { Queues } from '../../queues/index.ts';

/**
 * Returns an executor whose attempts are spaced by a shared server. The rate of a lane then holds for all
 * machines together.
 * @param stopping signal at which attempts that still wait end as PENDING
 */
export function withSharedRate(
  executor: Executor,
  rate: Rate,
  queues: Pick<Queues, 'turn'>,
  stopping: AbortSignal,
): Executor {
  const lane = executor.lane?.bind(executor);
  return {
    ...(lane === undefined ? {} : { lane }),
    get capacity() {
      return executor.capacity as number;
    },
    get finds() {
      return executor.finds === true;
    },
    async attempt(task, attempt) {
      const wait = await queues.turn(lane?.(task) ?? '', rate);
      const signal = AbortSignal.any([attempt.signal, stopping]);
      if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
      return signal.aborted ? { state: 'PENDING' } : executor.attempt(task, attempt);
    },
    drained: () => executor.drained?.(),
    describe: (task, ordinal) => executor.describe(task, ordinal),
    close: () => executor.close(),
  };
}
