import type { Job } from '../core/lane.ts';
import { isOver, MAX_LINE } from '../core/lines.ts';
import { isSettled, runOf, type State, type Task } from '../core/task.ts';
import type { Outcome } from '../executors/executor.ts';
import { Transitions } from './events.ts';
import type { ExecCounts, ExecOptions } from './exec-options.ts';
import { finishedTask, pendingTask, revertedTask } from './record.ts';

/** What becomes of the tasks of a stage: it makes their records, and keeps their events and counts. */
export class Account {
  readonly counts: ExecCounts = {
    ...{ succeeded: 0, failed: 0, pending: 0, passed: 0, retries: 0, reverted: 0, added: 0, known: 0 },
    causes: new Map(),
    hasTooManyFailures: false,
  };
  readonly #options: ExecOptions;
  readonly #as: string;
  readonly #transitions: Transitions;

  constructor(options: ExecOptions, as: string) {
    this.#options = options;
    this.#as = as;
    this.#transitions = new Transitions(options.notify, options.revert === true);
  }

  /** An attempt begins. */
  begun(job: Job): void {
    if (job.attempts++ === 0) job.began = Date.now();
    this.#transitions.begun(job);
  }

  /** A task is to be tried again. */
  retried(job: Job, why: Outcome): void {
    this.counts.retries++;
    this.#transitions.retried(job, why);
  }

  /** The record of a task that came to its end. */
  settled(job: Job, outcome: Outcome): Task {
    let settled = outcome;
    let task = this.#recordOf(job, settled);
    if (isOver(task.line, this.#options.maxLine ?? MAX_LINE)) {
      const message = 'the record with its result is longer than --max-line';
      settled = { error: { code: 'RESULT_TOO_LONG', message } };
      task = this.#recordOf(job, settled);
    }
    // Only where somebody listens: it parses the record.
    if (this.#options.notify !== undefined)
      this.#transitions.ended(job, runOf(task.fields)?.state as State, settled);
    this.#count(settled);
    return task;
  }

  #recordOf(job: Job, outcome: Outcome): Task {
    return this.#options.revert ? revertedTask(job, outcome, this.#as) : finishedTask(job, outcome, this.#as);
  }

  #count({ error }: Outcome): void {
    const { counts } = this;
    if (error !== undefined) {
      counts.failed++;
      counts.causes.set(error.code, (counts.causes.get(error.code) ?? 0) + 1);
    } else if (this.#options.revert) counts.reverted++;
    else counts.succeeded++;
  }

  /** The record of a task that was begun and does not come to its end. */
  givenBack(job: Job): Task {
    this.#transitions.ended(job, 'PENDING');
    return this.pending(job);
  }

  /** The record of a task that was not begun, or waited to be tried again. */
  dropped(job: Job): Task {
    this.#transitions.dropped(job);
    return isSettled(job.task) ? job.task : this.pending(job);
  }

  /** The record of a task that is not finished. */
  pending(job: Job): Task {
    this.counts.pending++;
    // What is to be undone stays what it was: a failure.
    return this.#options.revert ? job.task : pendingTask(job, this.#as);
  }
}
