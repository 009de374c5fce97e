import { isSettled, type State, stateOf, type Task } from '../../core/record/task.ts';
import type { Job } from '../../core/schedule/lane.ts';
import { isOver, MAX_LINE } from '../../core/text/lines.ts';
import type { Outcome } from '../../executors/contract.ts';
import { addTo } from '../../reports/failure-codes.ts';
import type { Report } from '../../reports/report.ts';
import { Tally } from '../../reports/tally.ts';
import type { ExecCounts } from './contract.ts';
import type { ExecOptions } from './exec-options.ts';
import { endOf, finishedTask, pendingTask, revertedTask } from './finished-record.ts';
import { Transitions } from './transitions.ts';

/** How many causes are counted one by one: a program may make up a code for each task. */
const CAUSES = 1000;

/** What becomes of the tasks of a stage: it makes their records, and keeps their events, counts and times. */
export class Account {
  readonly counts: ExecCounts = {
    ...{ succeeded: 0, failed: 0, pending: 0, passed: 0, retries: 0, reverted: 0, added: 0, known: 0 },
    causes: new Map(),
    hasTooManyFailures: false,
    isReached: false,
  };
  readonly #options: ExecOptions;
  readonly #as: string;
  readonly #tally = new Tally();
  #over: (Pick<Report, 'outcome'> & { readonly at: number }) | undefined;
  readonly #transitions: Transitions;

  constructor(options: ExecOptions, as: string) {
    this.#options = options;
    this.#as = as;
    this.#transitions = new Transitions(options.notify, options.revert === true);
  }

  /** An attempt begins. */
  begun(job: Job): void {
    if (job.attempts++ === 0) {
      job.began = Date.now();
      job.since = performance.now();
      this.#tally.began(job.began);
    }
    this.#transitions.begun(job);
  }

  /** A task is to be tried again. */
  retried(job: Job, why: Outcome): void {
    this.counts.retries++;
    this.#tally.retried(job, why.error, Date.now());
    this.#transitions.retried(job, why);
  }

  /** The record of a task that came to its end. */
  settled(job: Job, outcome: Outcome): Task {
    const now = endOf(job);
    let settled = outcome;
    let task = this.#fits(outcome) ? this.#recordOf(job, settled, now) : undefined;
    if (task === undefined || isOver(task.line, this.#maxLine)) {
      const message = 'the record with its result is longer than --max-line';
      settled = { error: { code: 'RESULT_TOO_LONG', message } };
      task = this.#recordOf(job, settled, now);
    }
    // Only for a listener: it parses the record.
    if (this.#options.notify !== undefined) this.#transitions.ended(job, stateOf(task) as State, settled);
    this.#count(settled);
    this.#tally.ended(job, settled.error, now);
    return task;
  }

  /** Whether a result may fit into a record: one that is too long may not even fit into a string. */
  #fits({ result }: Outcome): boolean {
    return result === undefined || result.length <= this.#maxLine;
  }

  get #maxLine(): number {
    return this.#options.maxLine ?? MAX_LINE;
  }

  #recordOf(job: Job, outcome: Outcome, now: number): Task {
    const record = this.#options.revert ? revertedTask : finishedTask;
    return record(job, outcome, this.#as, now);
  }

  #count({ error }: Outcome): void {
    const { counts } = this;
    if (error !== undefined) {
      counts.failed++;
      addTo(counts.causes, error.code, CAUSES);
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

  /** All is over, in that way; what is said of it later does not count. */
  over(outcome: Report['outcome']): void {
    const isTooMuch = outcome === 'stopped' && this.counts.hasTooManyFailures;
    this.#over ??= { outcome: isTooMuch ? 'max-failures' : outcome, at: Date.now() };
  }

  /** How it went, or how it goes so far. */
  report(): Report {
    const { succeeded, failed, reverted, pending, passed, added, known, retries } = this.counts;
    const { outcome, at } = this.#over ?? { outcome: 'running', at: Date.now() };
    const tasks = { succeeded, failed, reverted, pending, passed, added, known, rejected: 0 };
    return { outcome, tasks, retries, ...this.#tally.measured(at) };
  }
}
