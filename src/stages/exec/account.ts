import { steadyNow } from '../../core/base/steady-clock.ts';
import { isSettled, type State, stateOf, type Task } from '../../core/record/task.ts';
import type { Job } from '../../core/schedule/lanes/lane.ts';
import { isOver, MAX_LINE } from '../../core/text/lines.ts';
import type { Outcome } from '../../executors/contract.ts';
import { addTo } from '../../reports/failure-codes.ts';
import type { Report } from '../../reports/report.ts';
import { Tally } from '../../reports/tally.ts';
import type { ExecCounts } from './contract.ts';
import type { ExecOptions } from './exec-options.ts';
import { finishedTask, pendingTask, revertedTask } from './finished-record.ts';
import { Transitions } from './transitions.ts';

/** Maximum number of causes counted by code: a program may invent a code for each task. */
const CAUSES = 1000;

/** Bookkeeping of a stage: makes the records of its tasks, and keeps their events, counts and times. */
export class Account {
  readonly counts: ExecCounts = {
    ...{ succeeded: 0, failed: 0, pending: 0, passed: 0, retries: 0, reverted: 0, added: 0, known: 0 },
    causes: new Map(),
    hasTooManyFailures: false,
    isOverBudget: false,
    isReached: false,
  };
  /** Key of the result in a record. */
  readonly as: string;
  readonly #options: ExecOptions;
  readonly #tally = new Tally();
  #over: (Pick<Report, 'outcome'> & { readonly at: number }) | undefined;
  readonly #transitions: Transitions;
  /** Common time of outcomes that arrived together; undefined while each has its own. */
  #now: number | undefined;

  constructor(options: ExecOptions) {
    this.#options = options;
    this.as = options.as ?? 'result';
    this.#transitions = new Transitions(options.notify, options.revert === true);
  }

  /**
   * Runs a function that records outcomes that arrived together. They get the same time, so the clock is read only
   * once.
   */
  together(record: () => void): void {
    this.#now = steadyNow();
    try {
      record();
    } finally {
      this.#now = undefined;
    }
  }

  /** Records the start of an attempt. */
  begun(job: Job): void {
    if (job.attempts++ === 0) {
      job.began = steadyNow();
      this.#tally.began(job.began);
    }
    this.#transitions.begun(job);
  }

  /** Records a failed attempt that is retried. */
  retried(job: Job, why: Outcome): void {
    this.counts.retries++;
    this.#tally.retried(job, why.error, steadyNow());
    this.#transitions.retried(job, why);
  }

  /**
   * Records the end of a task. Returns its record; if the record exceeds `maxLine`, a failure with code
   * `RESULT_TOO_LONG`.
   */
  settled(job: Job, outcome: Outcome): Task {
    const now = this.#now ?? steadyNow();
    let settled = outcome;
    let task = this.#fits(outcome) ? this.#recordOf(job, settled, now) : undefined;
    if (task === undefined || isOver(task.line, this.#maxLine)) {
      const message = 'the record with its result is longer than --max-line';
      settled = { error: { code: 'RESULT_TOO_LONG', message } };
      task = this.#recordOf(job, settled, now);
    }
    // Only if there is a listener: `stateOf` parses the record.
    if (this.#options.notify !== undefined) this.#transitions.ended(job, stateOf(task) as State, settled);
    this.#count(settled);
    this.#tally.ended(job, settled.error, now);
    return task;
  }

  /** Returns whether a result may fit into a record. A result that is too long may not even fit into a string. */
  #fits({ result }: Outcome): boolean {
    return result === undefined || result.length <= this.#maxLine;
  }

  get #maxLine(): number {
    return this.#options.maxLine ?? MAX_LINE;
  }

  #recordOf(job: Job, outcome: Outcome, now: number): Task {
    const record = this.#options.revert ? revertedTask : finishedTask;
    return record(job, outcome, this.as, now);
  }

  #count({ error }: Outcome): void {
    const { counts } = this;
    if (error !== undefined) {
      counts.failed++;
      addTo(counts.causes, error.code, CAUSES);
    } else if (this.#options.revert) counts.reverted++;
    else counts.succeeded++;
  }

  /** Records that a task was given up after it began. Returns its record. */
  givenBack(job: Job): Task {
    this.#transitions.ended(job, 'PENDING');
    return this.pending(job);
  }

  /** Records that a task will not start: it never began, or waited for a retry. Returns its record. */
  dropped(job: Job): Task {
    this.#transitions.dropped(job);
    return isSettled(job.task) ? job.task : this.pending(job);
  }

  /** Counts an unfinished task. Returns its record. */
  pending(job: Job): Task {
    this.counts.pending++;
    // A failure that was not reverted stays a failure.
    return this.#options.revert ? job.task : pendingTask(job, this.as);
  }

  /** Sets the outcome and the end time of the stage, unless they are set already. */
  over(outcome: Report['outcome']): void {
    const { hasTooManyFailures, isOverBudget } = this.counts;
    const why = hasTooManyFailures ? 'max-failures' : isOverBudget ? 'budget' : 'stopped';
    this.#over ??= { outcome: outcome === 'stopped' ? why : outcome, at: steadyNow() };
  }

  /** Returns the report of the run so far. */
  report(): Report {
    const { succeeded, failed, reverted, pending, passed, added, known, retries } = this.counts;
    const { outcome, at } = this.#over ?? { outcome: 'running', at: steadyNow() };
    const tasks = { succeeded, failed, reverted, pending, passed, added, known, rejected: 0 };
    return { outcome, tasks, retries, ...this.#tally.measured(at) };
  }
}
