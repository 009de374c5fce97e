import type { Job } from '../../core/schedule/lanes/lane.ts';
import type { Outcome } from '../../executors/contract.ts';

/** Functions of a running stage for the program that has started it. */
export interface StageHandle {
  /** Gives up a task: its signal is aborted, or it is not started. It comes out as a FAILURE with code `CANCELLED`. */
  cancel(uuid: string): void;
}

/** Maximum number of remembered uuids without a task so far. */
const MOST = 10_000;

const CANCELLED: Outcome = { error: { code: 'CANCELLED', message: 'the task was cancelled' } };

/** Tasks of a stage that are cancelled one by one. */
export class Cancels implements StageHandle {
  readonly #running = new Map<Job, AbortController>();
  /** Uuids of tasks that have not started. */
  readonly #waiting = new Set<string>();

  cancel(uuid: string): void {
    for (const [{ task }, controller] of this.#running) {
      if (task.uuid !== uuid) continue;
      controller.abort();
      return;
    }
    this.#waiting.add(uuid);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > MOST && oldest !== undefined) this.#waiting.delete(oldest);
  }

  /** Returns the outcome of a task that was cancelled before it started. */
  outcomeFor({ task }: Job): Outcome | undefined {
    return this.#waiting.delete(task.uuid) ? CANCELLED : undefined;
  }

  /** Returns the signal of an attempt. */
  begin(job: Job): AbortSignal {
    const controller = new AbortController();
    this.#running.set(job, controller);
    return controller.signal;
  }

  /** Returns the outcome of an attempt that has ended: a cancelled task is not retried. */
  end(job: Job, outcome: Outcome): Outcome {
    const isCancelled = this.#running.get(job)?.signal.aborted === true;
    this.#running.delete(job);
    const { error, state, moved } = outcome;
    const isUndone = error !== undefined || state === 'PENDING' || moved !== undefined;
    return isCancelled && isUndone ? CANCELLED : outcome;
  }
}
