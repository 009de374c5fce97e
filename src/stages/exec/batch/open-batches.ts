import type { Failure } from '../../../core/record/task.ts';
import { attributeText } from '../../../core/record/template.ts';
import { DeadlineTimer } from '../../../core/schedule/deadline-timer.ts';
import type { Job } from '../../../core/schedule/lanes/lane.ts';
import { BATCH_BYTES, BATCH_WAIT } from '../../../executors/batch-options.ts';
import type { Executor } from '../../../executors/contract.ts';
import { Batch } from './batch.ts';
import type { BatchSettings } from './contract.ts';

/** Maximum number of tasks that are gathered for batches of different keys. */
const MOST_GATHERED = 10_000;

/** Maximum number of characters in the gathered records. */
const MOST_LENGTH = 16 * 1024 * 1024;

/** Functions of the batcher that open batches need. */
export interface OpenBatchHooks {
  /** Returns the maximum number of calls at once. */
  slots(): number;
  /** Takes a batch that waits no longer. */
  closed(batch: Batch): void;
  /** Called after batches were closed because they have waited long enough. */
  due(): void;
}

/** Batches that wait for more tasks, one for each key: what the tasks of one call have in common. */
export class OpenBatches implements Iterable<Batch> {
  /** Longest wait for more tasks, in milliseconds. */
  readonly wait: number;
  readonly #executor: Executor;
  readonly #options: BatchSettings;
  readonly #hooks: OpenBatchHooks;
  readonly #mostBytes: number;
  readonly #isKeyed: boolean;
  /** Batches by their keys, the oldest first. */
  readonly #batches = new Map<string, Batch>();
  /** Number and characters of their tasks. */
  #count = 0;
  #length = 0;
  readonly #due = new DeadlineTimer(() => this.#closeDue());

  constructor(executor: Executor, options: BatchSettings, hooks: OpenBatchHooks) {
    this.#executor = executor;
    this.#options = options;
    this.#hooks = hooks;
    this.wait = options.batchWait ?? BATCH_WAIT;
    this.#mostBytes = options.batchBytes ?? BATCH_BYTES;
    const keys = [options.batchBy, executor.lane, executor.batchKey];
    this.#isKeyed = keys.some((key) => key !== undefined);
  }

  /** Number of tasks that may be under way, gathered ones included. */
  get capacity(): number {
    return this.#options.batch * this.#hooks.slots() + (this.#isKeyed ? MOST_GATHERED : 0);
  }

  /**
   * Adds a task to the batch of its key, and closes the batch if it is full.
   * @param cancelled aborted when the task is cancelled
   * @returns the failure of a task that cannot be in a batch
   */
  add(job: Job, cancelled: AbortSignal | undefined): Failure | undefined {
    const { task } = job;
    const key = this.#isKeyed ? this.#keyOf(job) : '';
    if (typeof key !== 'string') return key;
    let batch = this.#batches.get(key);
    if (batch?.fits(task, this.#mostBytes) === false) {
      this.#close(batch);
      batch = undefined;
    }
    batch ??= this.#open(key, job);
    batch.add(job, cancelled);
    this.#count++;
    this.#length += task.line.length;
    if (batch.jobs.length >= this.#options.batch || batch.reaches(this.#mostBytes)) this.#close(batch);
    else if (this.#isKeyed && this.#hasMany) this.#closeOldest();
    return undefined;
  }

  #keyOf({ task, lane }: Job): string | Failure {
    const { batchBy } = this.#options;
    const own = this.#executor.batchKey?.(task) ?? '';
    if (typeof own !== 'string') return own;
    const value = batchBy === undefined ? undefined : attributeText(task, batchBy);
    // A space, a text and its length cannot be confused with another text.
    return value === undefined ? `${lane.key} ${own}` : `${lane.key} ${own} ${value} ${value.length}`;
  }

  #open(key: string, { lane }: Job): Batch {
    const batch = new Batch(key, lane, performance.now() + this.wait);
    this.#batches.set(key, batch);
    if (this.wait > 0) this.#due.set(batch.due);
    return batch;
  }

  #close(batch: Batch): void {
    this.#batches.delete(batch.key);
    this.#count -= batch.jobs.length;
    this.#length -= batch.length;
    this.#hooks.closed(batch);
  }

  /** True if so much is gathered that the oldest batch no longer waits. A single batch has its own limits. */
  get #hasMany(): boolean {
    return this.#count >= this.capacity || this.#length >= MOST_LENGTH;
  }

  #closeOldest(): void {
    const [oldest] = this.#batches.values();
    if (oldest !== undefined) this.#close(oldest);
  }

  #closeDue(): void {
    const now = performance.now();
    for (const batch of [...this.#batches.values()]) {
      if (batch.due > now) {
        this.#due.set(batch.due);
        break;
      }
      this.#close(batch);
    }
    this.#hooks.due();
  }

  /** Closes all batches. */
  flush(): void {
    for (const batch of [...this.#batches.values()]) this.#close(batch);
  }

  /** Removes and returns all batches: none of them is called. */
  takeAll(): readonly Batch[] {
    const all = [...this.#batches.values()];
    this.#batches.clear();
    this.#count = 0;
    this.#length = 0;
    this.#due.clear();
    return all;
  }

  [Symbol.iterator](): Iterator<Batch> {
    return this.#batches.values();
  }
}
