import type { Task } from '../record/task.ts';
import type { Job } from './lanes/lane.ts';
import type { Rate } from './rate.ts';

/** Finished tasks that are held back. */
export interface Held {
  readonly count: number;
  /** In characters. */
  readonly size: number;
}

export interface SchedulerOptions {
  /** Maximum number of running jobs. */
  readonly jobs: number;
  /** Returns the lane of a task. Default: one lane for all. */
  readonly laneOf?: ((task: Task) => string) | undefined;
  /** Maximum number of running jobs of one lane, which is a host for HTTP. Default: a fair share, see `#share`. */
  readonly perHost?: number | undefined;
  readonly rate?: Rate | undefined;
  /** Rate of each lane, which is a host for HTTP. */
  readonly hostRate?: Rate | undefined;
  /** True if the concurrency of each lane is learned from its latency. */
  readonly isAdaptive?: boolean | undefined;
  /** Maximum number of tasks to read ahead, so that a slow lane does not hide the tasks of others. */
  readonly window: number;
  /** Tasks that are finished and still held back for `--keep-order`; they count against the window. */
  readonly held?: Held | undefined;
  /**
   * Called with the job that is next in its lane. Returns 0 if the job starts now, else the time to wait in
   * milliseconds. After infinity, set `heldUntil` of the lane to 0 to be called again. Default: nothing waits.
   */
  readonly gate?: ((job: Job, now: number) => number) | undefined;
  /** Called when there may be a job to take again, and when all jobs are finished. */
  readonly onReady: () => void;
}
