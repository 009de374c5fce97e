import type { Task } from '../../../core/record/task.ts';
import { DeadlineTimer } from '../../../core/schedule/deadline-timer.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import type { Attempt, BatchOutcome, Executor, Outcome, WholeOutcome } from '../../../executors/contract.ts';
import type { Batch } from './batch.ts';
import { isEach, settleAll } from './call-outcomes.ts';
import { CallPacing } from './call-pacing.ts';
import type { BatchSettings, Halving } from './contract.ts';
import { FurtherCalls, isUnderWay } from './further-calls.ts';
import { isHalved, searchFault } from './halving.ts';
import { OpenBatches } from './open-batches.ts';
import { Outages } from './outages.ts';

/** Outcome of a call that is not made. */
const NOT_MADE: WholeOutcome = { whole: { state: 'PENDING' }, halves: 'never' };

/** Functions of the stage that a batcher needs. */
export interface BatcherHooks {
  /** Returns the context of a call, without its number and ordinal. */
  readonly attempt: Omit<Attempt, 'number' | 'cancelled'>;
  /** Takes the outcome of a task. */
  ended(job: Job, outcome: Outcome): void;
  /** Runs a function that passes on the outcomes of a call, all of one time. */
  together(settle: () => void): void;
  /** Takes a task back that is not called. */
  dropped(job: Job): void;
  /** Called after a call that took time, when others may start. */
  freed(): void;
  /** Ends the stage. */
  failed(error: unknown): void;
}

/** Batches of tasks, with one call for each. Tasks and their retries stay single for the stage. */
export class Batcher {
  readonly #executor: Executor;
  readonly #options: BatchSettings;
  readonly #hooks: BatcherHooks;
  readonly #pacing: CallPacing;
  readonly #halving: Halving;
  readonly #outages = new Outages();
  readonly #open: OpenBatches;
  /** Batches that wait for a call, in order. */
  #ready: Batch[] = [];
  #running = 0;
  readonly #further: FurtherCalls;
  /** Capacity when the stage last looked for tasks to start. */
  latestCapacity = 0;
  readonly #paced = new DeadlineTimer(() => this.#start());

  constructor(executor: Executor, options: BatchSettings, hooks: BatcherHooks) {
    this.#executor = executor;
    this.#options = options;
    this.#hooks = hooks;
    this.#pacing = new CallPacing(options);
    this.#open = new OpenBatches(executor, options, {
      slots: () => this.#slots,
      closed: (batch) => this.#ready.push(batch),
      due: () => {
        this.#start();
        hooks.freed();
      },
    });
    const { limits, batchSplit: mode = 'auto' } = options;
    this.#further = new FurtherCalls({
      paced: (lane, now) => this.#pacing.waitAgain(lane, now),
      charge: (further, now) => limits?.waitAgain(further, now, this.#isAlone(now)) ?? 0,
      waits: () => hooks.freed(), // the stage may be at its end
      givenUp: (further) => limits?.waitsNoMore(further),
    });
    this.#halving = {
      ...{ mode, outages: this.#outages },
      call: (jobs) => this.#callAgain(jobs),
      // The next call stands for the task in the forecast, as a retry does.
      spent: (jobs, outcome) => {
        for (const job of jobs)
          if (isUnderWay(job)) limits?.ended(job, { ...outcome, retry: outcome.retry ?? {} });
      },
      settle: (job, outcome) => hooks.ended(job, outcome),
      isLast: (job) => job.countedAttempts >= options.retries,
    };
  }

  /** Number of tasks that may be under way, gathered ones included. */
  get capacity(): number {
    return this.#open.capacity;
  }

  /** Sets `latestCapacity`, which is read several times for each task. */
  lookAtCapacity(): void {
    this.latestCapacity = this.capacity;
  }

  /** True if enough batches wait for a call. */
  get isFull(): boolean {
    return this.#ready.length > 0 && this.#ready.length >= this.#slots;
  }

  /** True if no call runs. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** Number of tasks that wait for a call, or for more tasks. */
  get waiting(): number {
    let count = 0;
    for (const { jobs } of [...this.#ready, ...this.#open]) count += jobs.filter(isUnderWay).length;
    return count;
  }

  /** Number of calls that run, or may start: not of batches that wait for more tasks. */
  get calls(): number {
    return this.#running + this.#ready.length;
  }

  get #slots(): number {
    return this.#executor.capacity ?? this.#options.jobs;
  }

  /** Adds a task to the batch of its key. @param cancelled aborted when the task is cancelled */
  add(job: Job, cancelled: AbortSignal | undefined): void {
    const error = this.#open.add(job, cancelled);
    if (error !== undefined) {
      this.#hooks.ended(job, { error });
      return;
    }
    if (cancelled !== undefined) this.#heed(job, cancelled);
    this.#start();
  }

  /** Calls all gathered tasks: no more will come. */
  flush(): void {
    this.#open.flush();
    this.#start();
  }

  /** Calls the tasks that arrived together, unless batches wait for more. */
  arrived(): void {
    if (this.#open.wait === 0) this.flush();
  }

  /** Keeps a refused call from making the next batches of its lane smaller: a server counts calls. */
  spare(lane: Lane): void {
    lane.limit = Math.max(lane.limit, this.#options.batch);
  }

  /** Returns the tasks that are not called yet to the stage, and starts no more batches. */
  stop(): void {
    this.#further.stop();
    const left = [...this.#ready, ...this.#open.takeAll()];
    this.#ready = [];
    this.#paced.clear();
    for (const { jobs } of left) for (const job of jobs) if (isUnderWay(job)) this.#hooks.dropped(job);
  }

  /** Starts the batches that may start. */
  #start(): void {
    while (this.#ready.length > 0 && this.#running < this.#slots) {
      const now = performance.now();
      const waits = this.#ready.map(({ lane }) => this.#pacing.wait(lane, now));
      const at = waits.findIndex((wait) => wait <= 0);
      if (at < 0) {
        const next = Math.min(...waits);
        if (next < Number.POSITIVE_INFINITY) this.#paced.set(now + next);
        return;
      }
      const [batch] = this.#ready.splice(at, 1);
      this.#run(batch as Batch, now);
    }
  }

  #run(batch: Batch, now: number): void {
    const jobs = batch.jobs.every(isUnderWay) ? batch.jobs : batch.jobs.filter(isUnderWay);
    if (jobs.length === 0) return;
    this.#running++;
    this.#pacing.count(batch.lane, 1);
    this.#pacing.called(batch.lane, now);
    try {
      const made = this.#call(jobs, batch.cancelled);
      if (!(made instanceof Promise) && !isHalved(jobs, made, this.#halving)) {
        this.#over(batch);
        this.#settle(jobs, made);
        this.#further.wake();
      } else void this.#finish(batch, jobs, made);
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  async #finish(
    batch: Batch,
    jobs: readonly Job[],
    made: BatchOutcome | Promise<BatchOutcome>,
  ): Promise<void> {
    try {
      const outcome = this.#outages.judged(batch.lane, await made);
      const isSearched = isHalved(jobs, outcome, this.#halving);
      if (isSearched) await searchFault(jobs, outcome, this.#halving);
      this.#over(batch);
      if (!isSearched) this.#settle(jobs, outcome);
      this.#start();
      this.#hooks.freed();
      this.#further.wake();
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  #settle(jobs: readonly Job[], made: BatchOutcome): void {
    this.#hooks.together(() => settleAll(jobs, made, this.#halving.settle));
  }

  #over({ lane }: Batch): void {
    this.#running--;
    this.#pacing.count(lane, -1);
  }

  #call(jobs: readonly Job[], cancelled?: AbortSignal): BatchOutcome | Promise<BatchOutcome> {
    const tasks: Task[] = [];
    let number = 1;
    for (const job of jobs) {
      tasks.push(job.task);
      if (job.attempts > number) number = job.attempts;
    }
    const { ordinal, lane } = jobs[0] as Job;
    const attempt = { ...this.#hooks.attempt, number, ordinal, cancelled };
    const begun = this.#outages.begun(lane);
    const made = (this.#executor.attemptAll as NonNullable<Executor['attemptAll']>)(tasks, attempt);
    return made instanceof Promise
      ? made.then((settled) => this.#called(lane, settled, tasks.length, begun))
      : this.#called(lane, made, tasks.length, begun);
  }

  /** Returns the outcome of a call; one of the whole call says for how many tasks it is. */
  #called(lane: Lane, made: BatchOutcome, sharedBy: number, begun: number): BatchOutcome {
    if (!isEach(made)) return { ...made, whole: { ...made.whole, sharedBy } };
    this.#outages.answered(lane, begun);
    return made;
  }

  /** Makes a further call for tasks of a batch that failed, at the rates of calls and within the limits. None after a stop. */
  async #callAgain(jobs: readonly Job[]): Promise<BatchOutcome> {
    const called = await this.#further.ready(jobs);
    const [first] = called;
    if (first === undefined) return NOT_MADE;
    this.#pacing.called(first.lane, performance.now());
    const made = await this.#call(called);
    if (!isEach(made) || called.length === jobs.length) return made;
    const outcomes = new Map(called.map((job, i) => [job, made[i] as Outcome]));
    return jobs.map((job) => outcomes.get(job) ?? NOT_MADE.whole);
  }

  /** Returns whether no call runs, and none can start. */
  #isAlone(now: number): boolean {
    if (this.#running > this.#further.waiting) return false;
    const mayStart = ({ lane }: Batch): boolean => this.#pacing.wait(lane, now) < Number.POSITIVE_INFINITY;
    return this.#running >= this.#slots || !this.#ready.some(mayStart);
  }

  /** Gives up a task at once when it is cancelled; its batch goes on, unless all of its tasks are cancelled. */
  #heed(job: Job, cancelled: AbortSignal): void {
    const onCancel = (): void => {
      if (!isUnderWay(job)) return;
      this.#hooks.ended(job, { error: { code: 'CANCELLED', message: 'the task was cancelled' } });
      this.#hooks.freed();
    };
    cancelled.addEventListener('abort', onCancel, { once: true });
  }
}
