import type { Failure, Task } from '../../../core/record/task.ts';
import { attributeText } from '../../../core/record/template.ts';
import { DeadlineTimer } from '../../../core/schedule/deadline-timer.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';
import { BATCH_BYTES, BATCH_WAIT } from '../../../executors/batch-options.ts';
import type { Attempt, BatchOutcome, Executor, Outcome, WholeOutcome } from '../../../executors/contract.ts';
import type { FurtherCall } from '../limits/index.ts';
import { Batch } from './batch.ts';
import { isEach, settleAll } from './call-outcomes.ts';
import { CallPacing, type CallRates } from './call-pacing.ts';
import type { Halving, SplitMode } from './contract.ts';
import { FurtherCalls, isUnderWay } from './further-calls.ts';
import { conclude, isHalved } from './halving.ts';
import { Outages } from './outages.ts';

/** Most tasks that are gathered for batches of different keys. */
const MOST_GATHERED = 10_000;

/** Most characters of records that are gathered. */
const MOST_LENGTH = 16 * 1024 * 1024;

/** Outcome of a call that is not made. */
const NOT_MADE: WholeOutcome = { whole: { state: 'PENDING' }, halves: 'never' };

/** Settings of batches. */
export interface BatchSettings extends CallRates {
  /** Maximum number of tasks of one call. */
  readonly batch: number;
  /** Longest wait for more tasks, in milliseconds. */
  readonly batchWait?: number | undefined;
  readonly batchBytes?: number | undefined;
  readonly batchBy?: string | undefined;
  readonly batchSplit?: SplitMode | undefined;
  /** Number of calls at once. */
  readonly jobs: number;
  readonly retries: number;
}

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
  /** Takes the outcome of a call whose tasks are called again. */
  spent(job: Job, outcome: Outcome): void;
  /**
   * Charges a further call to the limits.
   * @param isAlone true if no other call runs
   * @returns time to wait in milliseconds, 0 if it is charged
   */
  charge(call: FurtherCall, now: number, isAlone: boolean): number;
  /** Called when a further call that waits is not made. */
  givenUp(call: FurtherCall): void;
  /** Called after a call that took time, when others may start. */
  freed(): void;
  /** Ends the stage. */
  failed(error: unknown): void;
}

/** Gathers tasks into batches, and makes one call for each batch. Tasks and their retries stay single for the stage. */
export class Batcher {
  readonly #executor: Executor;
  readonly #options: BatchSettings;
  readonly #hooks: BatcherHooks;
  readonly #limits: CallPacing;
  readonly #halving: Halving;
  readonly #outages = new Outages();
  /** Batches that wait for more tasks, the oldest first. */
  readonly #open = new Map<string, Batch>();
  /** Batches that wait for a call, in order. */
  #ready: Batch[] = [];
  #running = 0;
  readonly #further: FurtherCalls;
  /** Number and characters of the tasks in open batches. */
  #gathered = 0;
  #length = 0;
  /** Capacity when the stage last looked for tasks to start. */
  latestCapacity = 0;
  readonly #wait: number;
  readonly #mostBytes: number;
  readonly #isKeyed: boolean;
  readonly #due = new DeadlineTimer(() => this.#closeDue());
  readonly #paced = new DeadlineTimer(() => this.#start());

  constructor(executor: Executor, options: BatchSettings, hooks: BatcherHooks) {
    this.#executor = executor;
    this.#options = options;
    this.#hooks = hooks;
    this.#limits = new CallPacing(options);
    this.#wait = options.batchWait ?? BATCH_WAIT;
    this.#mostBytes = options.batchBytes ?? BATCH_BYTES;
    const keys = [options.batchBy, executor.lane, executor.batchKey];
    this.#isKeyed = keys.some((key) => key !== undefined);
    const settle = (job: Job, outcome: Outcome): void => hooks.ended(job, outcome);
    const isLast = (job: Job): boolean => job.countedAttempts >= options.retries;
    const call = (jobs: readonly Job[]): Promise<BatchOutcome> => this.#callAgain(jobs);
    const spent = (jobs: readonly Job[], outcome: Outcome): void => {
      for (const job of jobs) if (isUnderWay(job)) hooks.spent(job, outcome);
    };
    this.#further = new FurtherCalls({
      paced: (lane, now) => this.#limits.waitAgain(lane, now),
      charge: (further, now) => hooks.charge(further, now, this.#isAlone(now)),
      waits: () => hooks.freed(), // the stage may be at its end
      givenUp: (further) => hooks.givenUp(further),
    });
    const { batchSplit: mode = 'auto' } = options;
    this.#halving = { mode, outages: this.#outages, call, spent, settle, isLast };
  }

  /** Number of tasks that may be under way, gathered ones included. */
  get capacity(): number {
    return this.#options.batch * this.#slots + (this.#isKeyed ? MOST_GATHERED : 0);
  }

  /** Sets `latestCapacity`, which is read several times for each task. */
  lookAtCapacity(): void {
    this.latestCapacity = this.capacity;
  }

  /** True if enough batches wait for a call. */
  get isFull(): boolean {
    return this.#ready.length > 0 && this.#ready.length >= this.#slots;
  }

  /** True if so much is gathered that the oldest batch no longer waits. A single batch has its own limits. */
  get #hasMany(): boolean {
    return this.#gathered >= this.capacity || this.#length >= MOST_LENGTH;
  }

  /** True if no call runs. */
  get isIdle(): boolean {
    return this.#running === 0;
  }

  /** Number of tasks that wait for a call, or for more tasks. */
  get waiting(): number {
    let count = 0;
    for (const { jobs } of [...this.#ready, ...this.#open.values()]) count += jobs.filter(isUnderWay).length;
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
    const { task } = job;
    const key = this.#isKeyed ? this.#keyOf(job) : '';
    if (typeof key !== 'string') {
      this.#hooks.ended(job, { error: key });
      return;
    }
    let batch = this.#open.get(key);
    if (batch?.fits(task, this.#mostBytes) === false) {
      this.#close(batch);
      batch = undefined;
    }
    batch ??= this.#openBatch(key, job);
    batch.add(job, cancelled);
    this.#gathered++;
    this.#length += task.line.length;
    if (cancelled !== undefined) this.#heed(job, cancelled);
    if (batch.jobs.length >= this.#options.batch || batch.reaches(this.#mostBytes)) this.#close(batch);
    else if (this.#isKeyed && this.#hasMany) this.#closeOldest();
    this.#start();
  }

  /** Has all tasks called that were gathered: no more are to come. */
  flush(): void {
    for (const batch of [...this.#open.values()]) this.#close(batch);
    this.#start();
  }

  /** Has the tasks called that arrived together, unless batches wait for more. */
  arrived(): void {
    if (this.#wait === 0) this.flush();
  }

  /** Keeps a refused call from making the next batches of its lane smaller: a server counts calls. */
  spare(lane: Lane): void {
    lane.limit = Math.max(lane.limit, this.#options.batch);
  }

  /** Gives back the tasks that are not called yet, and starts no more batches. */
  stop(): void {
    this.#further.stop();
    const left = [...this.#ready, ...this.#open.values()];
    this.#ready = [];
    this.#open.clear();
    this.#gathered = 0;
    this.#length = 0;
    this.#due.clear();
    this.#paced.clear();
    for (const { jobs } of left) for (const job of jobs) if (isUnderWay(job)) this.#hooks.dropped(job);
  }

  #keyOf({ task, lane }: Job): string | Failure {
    const { batchBy } = this.#options;
    const own = this.#executor.batchKey?.(task) ?? '';
    if (typeof own !== 'string') return own;
    const value = batchBy === undefined ? undefined : attributeText(task, batchBy);
    // A space, a text and its length cannot be confused with another text.
    return value === undefined ? `${lane.key} ${own}` : `${lane.key} ${own} ${value} ${value.length}`;
  }

  #openBatch(key: string, { lane }: Job): Batch {
    const batch = new Batch(key, lane, performance.now() + this.#wait);
    this.#open.set(key, batch);
    if (this.#wait > 0) this.#due.set(batch.due);
    return batch;
  }

  #close(batch: Batch): void {
    this.#open.delete(batch.key);
    this.#gathered -= batch.jobs.length;
    this.#length -= batch.length;
    this.#ready.push(batch);
  }

  #closeOldest(): void {
    const [oldest] = this.#open.values();
    if (oldest !== undefined) this.#close(oldest);
  }

  #closeDue(): void {
    const now = performance.now();
    for (const batch of [...this.#open.values()]) {
      if (batch.due > now) {
        this.#due.set(batch.due);
        break;
      }
      this.#close(batch);
    }
    this.#start();
    this.#hooks.freed();
  }

  /** Starts the batches that may start. */
  #start(): void {
    while (this.#ready.length > 0 && this.#running < this.#slots) {
      const now = performance.now();
      const waits = this.#ready.map(({ lane }) => this.#limits.wait(lane, now));
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
    this.#limits.count(batch.lane, 1);
    this.#limits.called(batch.lane, now);
    const answered = this.#outages.answered(batch.lane);
    try {
      const made = this.#call(jobs, batch.cancelled);
      if (!(made instanceof Promise) && !isHalved(jobs, made, this.#halving)) {
        this.#over(batch);
        this.#settle(jobs, made);
        this.#further.wake();
      } else void this.#finish(batch, jobs, made, answered);
    } catch (error) {
      this.#hooks.failed(error);
    }
  }

  async #finish(
    batch: Batch,
    jobs: readonly Job[],
    made: BatchOutcome | Promise<BatchOutcome>,
    answered: number,
  ): Promise<void> {
    try {
      const outcome = this.#outages.judged(batch.lane, await made);
      if (isHalved(jobs, outcome, this.#halving)) {
        await conclude(jobs, outcome, this.#halving, answered);
        this.#over(batch);
      } else {
        this.#over(batch);
        this.#settle(jobs, outcome);
      }
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
    this.#limits.count(lane, -1);
  }

  #call(jobs: readonly Job[], cancelled?: AbortSignal): BatchOutcome | Promise<BatchOutcome> {
    const tasks: Task[] = [];
    let number = 1;
    for (const job of jobs) {
      tasks.push(job.task);
      if (job.attempts > number) number = job.attempts;
    }
    const { ordinal } = jobs[0] as Job;
    const attempt = { ...this.#hooks.attempt, number, ordinal, cancelled };
    const made = (this.#executor.attemptAll as NonNullable<Executor['attemptAll']>)(tasks, attempt);
    const { lane } = jobs[0] as Job;
    return made instanceof Promise
      ? made.then((settled) => this.#called(lane, settled, tasks.length))
      : this.#called(lane, made, tasks.length);
  }

  /** Returns the outcome of a call; one of the whole call says for how many tasks it is. */
  #called(lane: Lane, made: BatchOutcome, sharedBy: number): BatchOutcome {
    if (!isEach(made)) return { ...made, whole: { ...made.whole, sharedBy } };
    this.#outages.called(lane);
    return made;
  }

  /** Makes a further call for tasks of a batch that failed, at the rates of calls and within the limits. None after a stop. */
  async #callAgain(jobs: readonly Job[]): Promise<BatchOutcome> {
    const called = await this.#further.ready(jobs);
    const [first] = called;
    if (first === undefined) return NOT_MADE;
    this.#limits.called(first.lane, performance.now());
    const made = await this.#call(called);
    if (!isEach(made) || called.length === jobs.length) return made;
    const outcomes = new Map(called.map((job, i) => [job, made[i] as Outcome]));
    return jobs.map((job) => outcomes.get(job) ?? NOT_MADE.whole);
  }

  /** Returns whether no call runs, and none can start. */
  #isAlone(now: number): boolean {
    if (this.#running > this.#further.waiting) return false;
    const mayStart = ({ lane }: Batch): boolean => this.#limits.wait(lane, now) < Number.POSITIVE_INFINITY;
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
