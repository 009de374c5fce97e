import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Task } from '../../core/record/task.ts';
import type { Attempt, Executor, Outcome } from '../../executors/contract.ts';
import type { QuotaCharge } from '../../queues/contract.ts';
import type { Queues } from '../../queues/index.ts';
import { quotaName } from '../../reports/cost-words.ts';
import type { Amounts, CostModel } from '../exec/limits/cost-expressions.ts';
import type { Quota } from '../exec/limits/limit-options.ts';
import { CHEAPER, type LongWaits } from '../exec/limits/long-waits.ts';
import { unlessStopped } from './unless-stopped.ts';

/** Longest time between two requests to the server, in milliseconds: others may have refunded a part. */
const OFTEN = 500;

/** Parts of shared quotas. */
export interface SharedQuotas {
  readonly queues: Pick<Queues, 'charge' | 'correct'>;
  readonly quotas: readonly Quota[];
  readonly model: CostModel;
  readonly laneOf: (task: Task) => string;
  /** Signal at which attempts that still wait end as PENDING. */
  readonly stopping: AbortSignal;
  readonly longWaits?: LongWaits | undefined;
}

/** Outcome of an attempt that was not made; nothing is charged for it. */
const NOT_MADE: Outcome = { state: 'PENDING', isStored: true };

/** Returns an executor whose attempts are charged to a shared server. Quotas then hold for all machines together. */
export function withSharedQuotas(executor: Executor, shared: SharedQuotas): Executor {
  const charges = new SharedCharges(shared);
  const { lane, drained, atomTimes } = executor;
  return {
    ...(lane && { lane: lane.bind(executor) }),
    ...(drained && { drained: drained.bind(executor) }),
    ...(atomTimes && { atomTimes: atomTimes.bind(executor) }),
    get capacity() {
      return executor.capacity as number;
    },
    get finds() {
      return executor.finds === true;
    },
    get bytes() {
      return executor.bytes;
    },
    attempt: (task, attempt) => charges.attempt(task, attempt, () => executor.attempt(task, attempt)),
    describe: (task, ordinal) => executor.describe(task, ordinal),
    close: () => executor.close(),
  };
}

/** Charges of the attempts of one process. */
class SharedCharges {
  readonly #shared: SharedQuotas;
  readonly #asker = randomUUID();
  /** Latest request of each lane: the next one waits for its answer, so that attempts start in order. */
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor(shared: SharedQuotas) {
    this.#shared = shared;
  }

  /** Makes an attempt when its estimate is charged, and corrects the charge. */
  async attempt(task: Task, { signal }: Attempt, run: () => Promise<Outcome> | Outcome): Promise<Outcome> {
    const { model, laneOf, stopping } = this.#shared;
    const estimate = model.before(task);
    if ('code' in estimate) return { error: estimate };
    const lane = laneOf(task);
    const asked = (this.#asking.get(lane) ?? Promise.resolve()).then(() =>
      this.#places(lane, estimate, AbortSignal.any([signal, stopping])),
    );
    const turn = asked.catch(() => {});
    this.#asking.set(lane, turn);
    void turn.then(() => this.#asking.get(lane) === turn && this.#asking.delete(lane));
    const places = await asked;
    if (places === undefined) return NOT_MADE;
    return this.#corrected(task, lane, estimate, places, await run());
  }

  /** Returns the places of the charges once they are made; undefined if the stage stops before. */
  async #places(
    lane: string,
    estimate: Amounts,
    signal: AbortSignal,
  ): Promise<readonly string[] | undefined> {
    const { queues, quotas, longWaits } = this.#shared;
    const charges = quotas.map((quota) => ({ ...quota, cost: estimate[this.#indexOf(quota)] as number }));
    while (!signal.aborted) {
      const charging = queues.charge(lane, this.#asker, charges);
      const answer = await unlessStopped(charging, signal);
      if (answer === undefined) {
        void charging.then(({ places }) => this.#giveBack(lane, charges, places)).catch(() => {});
        return undefined;
      }
      const { wait, places } = answer;
      if (wait === 0) return places;
      longWaits?.note(wait, lane, () => `${quotas.map(quotaName).join(' and ')} of all machines`, CHEAPER);
      await sleep(Math.min(wait, OFTEN), undefined, { signal }).catch(() => {});
    }
    return undefined;
  }

  /** Refunds the charges of an attempt that is not made any more. */
  async #giveBack(lane: string, charges: readonly QuotaCharge[], places: readonly string[]): Promise<void> {
    const corrections = places.map((place, i) => {
      const { cost, ...quota } = charges[i] as QuotaCharge;
      return { ...quota, place, difference: -cost };
    });
    if (corrections.length > 0) await this.#shared.queues.correct(lane, corrections);
  }

  async #corrected(
    task: Task,
    lane: string,
    estimate: Amounts,
    places: readonly string[],
    outcome: Outcome,
  ): Promise<Outcome> {
    const { moved, isStored } = outcome;
    if (moved !== undefined) {
      const goOn = async (next: Attempt): Promise<Outcome> =>
        this.#corrected(task, lane, estimate, places, await moved.goOn(next));
      return { ...outcome, moved: { lane: moved.lane, goOn } };
    }
    const { queues, quotas, model, stopping } = this.#shared;
    const real = isStored === true ? estimate.map(() => 0) : model.after(task, outcome, estimate);
    const corrections = quotas.flatMap((quota, i) => {
      const index = this.#indexOf(quota);
      const difference = (real[index] as number) - (estimate[index] as number);
      return difference === 0 ? [] : [{ ...quota, place: places[i] as string, difference }];
    });
    // The work is done: an unavailable server must not discard its outcome. The next charge reports the error.
    if (corrections.length > 0)
      await unlessStopped(
        queues.correct(lane, corrections).catch(() => {}),
        stopping,
      );
    return outcome;
  }

  #indexOf({ name }: Quota): number {
    return this.#shared.model.names.indexOf(name);
  }
}
