import type { Task } from '../../../core/record/task.ts';
import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';

/** Maximum number of bytes of a UTF-16 unit in UTF-8. */
const WIDEST = 3;

/** Tasks of one call. */
export class Batch {
  readonly key: string;
  readonly lane: Lane;
  /** Time until which it waits for more tasks, by `performance.now()`. */
  readonly due: number;
  readonly jobs: Job[] = [];
  /** Number of bytes of its records; before they are counted, their characters times `WIDEST`. */
  #bytes = 0;
  #isCounted = false;
  /** Number of characters of its records. */
  length = 0;
  #giveUp: AbortController | undefined;
  /** Number of its tasks that are not cancelled. */
  #wanted = 0;

  constructor(key: string, lane: Lane, due: number) {
    this.key = key;
    this.lane = lane;
    this.due = due;
  }

  /** Signal that is aborted once all of its tasks are cancelled; undefined if single tasks cannot be cancelled. */
  get cancelled(): AbortSignal | undefined {
    return this.#giveUp?.signal;
  }

  /** Returns whether its records have at most this many bytes, together with a further one. */
  fits({ line }: Task, most: number): boolean {
    if (!this.#isCounted && this.#bytes + line.length * WIDEST <= most) return true;
    this.#count();
    return this.#bytes + Buffer.byteLength(line) <= most;
  }

  /** Returns whether its records have at least this many bytes. */
  reaches(bytes: number): boolean {
    if (this.#bytes < bytes) return false;
    this.#count();
    return this.#bytes >= bytes;
  }

  /** Counts the bytes. Most batches are far from their limit, and counting would take longer than the rest of `add`. */
  #count(): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#bytes = 0;
    for (const { task } of this.jobs) this.#bytes += Buffer.byteLength(task.line);
  }

  add(job: Job, cancelled: AbortSignal | undefined): void {
    const { line } = job.task;
    this.jobs.push(job);
    this.length += line.length;
    this.#bytes += this.#isCounted ? Buffer.byteLength(line) : line.length * WIDEST;
    if (cancelled === undefined) return;
    this.#wanted++;
    const controller = this.#giveUp ?? new AbortController();
    this.#giveUp = controller;
    const onCancel = (): void => {
      if (--this.#wanted === 0) controller.abort();
    };
    cancelled.addEventListener('abort', onCancel, { once: true });
  }
}
