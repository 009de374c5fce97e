import { setTimeout as sleep } from 'node:timers/promises';
import type { Task } from '../../core/record/task.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import type { Attempt, Executor, Outcome } from '../../executors/contract.ts';
import type { Queues } from '../../queues/index.ts';
import { unlessStopped } from './unless-stopped.ts';

/**
 * Returns an executor whose attempts are spaced by a shared server. The rate of a lane then holds for all
 * machines together.
 * @param stopping signal at which attempts that still wait end as PENDING
 * @param laneOf returns the lane of a task. Default: as the executor says
 */
export function withSharedRate(
  executor: Executor,
  rate: Rate,
  queues: Pick<Queues, 'turn'>,
  stopping: AbortSignal,
  laneOf?: (task: Task) => string,
): Executor {
  const lane = executor.lane?.bind(executor);
  const keyOf = laneOf ?? lane ?? (() => '');
  /** Makes an attempt, or the rest of one, when it is its turn. */
  const inTurn = async (
    key: string,
    attempt: Attempt,
    run: () => Promise<Outcome> | Outcome,
  ): Promise<Outcome> => {
    const signal = AbortSignal.any([attempt.signal, stopping]);
    const wait = (await unlessStopped(queues.turn(key, rate), signal)) ?? 0;
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => {});
    if (signal.aborted) return { state: 'PENDING' };
    const outcome = await run();
    const { moved } = outcome;
    if (moved === undefined) return outcome;
    const goOn = (next: Attempt): Promise<Outcome> => inTurn(moved.lane, next, () => moved.goOn(next));
    return { ...outcome, moved: { lane: moved.lane, goOn } };
  };
  return {
    ...(lane === undefined ? {} : { lane }),
    get capacity() {
      return executor.capacity as number;
    },
    get finds() {
      return executor.finds === true;
    },
    attempt: (task, attempt) => inTurn(keyOf(task), attempt, () => executor.attempt(task, attempt)),
    drained: () => executor.drained?.(),
    describe: (task, ordinal) => executor.describe(task, ordinal),
    close: () => executor.close(),
  };
}
