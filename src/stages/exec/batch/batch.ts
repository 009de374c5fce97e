import type { Job, Lane } from '../../../core/schedule/lanes/lane.ts';

/** Tasks of one call. */
export class Batch {
  readonly key: string;
  readonly lane: Lane;
  /** Time at which it waits no longer, by `performance.now()`. */
  readonly due: number;
  readonly jobs: Job[] = [];
  /** Bytes of its records. */
  bytes = 0;
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

  add(job: Job, bytes: number, cancelled: AbortSignal | undefined): void {
    this.jobs.push(job);
    this.bytes += bytes;
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
