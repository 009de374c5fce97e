import type { Notify } from '../../core/record/event.ts';
import type { State } from '../../core/record/task.ts';
import type { Job } from '../../core/schedule/lanes/lane.ts';
import type { Outcome } from '../../executors/contract.ts';

/** Notifier of the state changes of tasks in one stage. */
export class Transitions {
  readonly #notify: Notify | undefined;
  readonly #busy: 'RUNNING' | 'REVERTING';
  readonly #first: 'PENDING' | 'FAILURE';

  /** @param reverts true if the stage reverts failed tasks */
  constructor(notify: Notify | undefined, reverts: boolean) {
    this.#notify = notify;
    this.#busy = reverts ? 'REVERTING' : 'RUNNING';
    this.#first = reverts ? 'FAILURE' : 'PENDING';
  }

  /** Reports the start of an attempt. */
  begun(job: Job): void {
    this.#changed(job, job.attempts > 1 ? 'RETRYING' : this.#first, this.#busy);
  }

  /** Reports that a task will be retried. */
  retried(job: Job, why: Outcome): void {
    this.#changed(job, this.#busy, 'RETRYING', why);
  }

  /** Reports that a task ended or was aborted. */
  ended(job: Job, state: State, why: Outcome = {}): void {
    this.#changed(job, this.#busy, state, why);
  }

  /** Reports that a task will not be retried after all. */
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
