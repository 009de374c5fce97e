import type { Notify } from '../../core/record/event.ts';
import type { State } from '../../core/record/task.ts';
import type { Job } from '../../core/schedule/lane.ts';
import type { Outcome } from '../../executors/contract.ts';

/** Tells of the changes of tasks in one stage. */
export class Transitions {
  readonly #notify: Notify | undefined;
  readonly #busy: 'RUNNING' | 'REVERTING';
  readonly #first: 'PENDING' | 'FAILURE';

  /** @param reverts whether the stage undoes tasks that failed */
  constructor(notify: Notify | undefined, reverts: boolean) {
    this.#notify = notify;
    this.#busy = reverts ? 'REVERTING' : 'RUNNING';
    this.#first = reverts ? 'FAILURE' : 'PENDING';
  }

  /** An attempt began. */
  begun(job: Job): void {
    this.#changed(job, job.attempts > 1 ? 'RETRYING' : this.#first, this.#busy);
  }

  /** A task is to be tried again. */
  retried(job: Job, why: Outcome): void {
    this.#changed(job, this.#busy, 'RETRYING', why);
  }

  /** A task came to its end, or was given up. */
  ended(job: Job, state: State, why: Outcome = {}): void {
    this.#changed(job, this.#busy, state, why);
  }

  /** A task that was to be tried again is not. */
  dropped(job: Job): void {
    if (job.attempts > 0) this.#changed(job, 'RETRYING', 'PENDING');
  }

  #changed(job: Job, from: string, to: string, { error, stack }: Outcome = {}): void {
    this.#notify?.({
      uuid: job.task.uuid,
      old_state: from,
      state: to,
      attempt: job.attempts,
      ...(error === undefined ? {} : { error }),
      ...(stack === undefined ? {} : { stack }),
    });
  }
}
