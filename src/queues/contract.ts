import type { Failure, Task } from '../core/record/task.ts';
import type { Rate } from '../core/schedule/rate.ts';

/** Default of `attempts`: maximum number of deliveries of a task. */
export const ATTEMPTS = 3;

/** Options for adding tasks to a queue. */
export interface PushOptions {
  /** True to add tasks at the front of the queue. Default false. */
  readonly front?: boolean | undefined;
  /** Priority: 1 is served before 2, and tasks without a priority before all others. Default: none. */
  readonly priority?: number | undefined;
  /** Delay before the first delivery, in milliseconds. Default 0. */
  readonly delay?: number | undefined;
  /** Maximum number of deliveries. Default `ATTEMPTS`. */
  readonly attempts?: number | undefined;
  /** True to add tasks even if they are finished or dead. Default false. */
  readonly again?: boolean | undefined;
  /**
   * True to add tasks that are in the queue once more, to run after their current run. Default false: they are
   * `seen`.
   */
  readonly repeat?: boolean | undefined;
}

/** Numbers of tasks by the outcome of a push. */
export interface PushCounts {
  added: number;
  /** Tasks that are in the queue already, or dead. */
  seen: number;
  /** Tasks that are finished already. */
  done: number;
}

/** Outcome of a delivered task. */
export interface Verdict {
  readonly uuid: string;
  /** `done`: finished. `back`: returns to the front, uncounted. `failed`: the attempt counts. */
  readonly kind: 'done' | 'back' | 'failed';
  /** Reason of a failure. */
  readonly error?: Failure | undefined;
  /** True if another attempt cannot succeed: the task is dead at once. Default false. */
  readonly isFinal?: boolean | undefined;
}

/** Numbers of tasks by the outcome of settling. */
export interface SettleCounts {
  done: number;
  back: number;
  /** Failed tasks that will be delivered again. */
  again: number;
  /** Failed tasks without attempts left. */
  dead: number;
  /** Tasks that another worker has meanwhile, or that are finished. */
  gone: number;
  /** Unknown tasks, which are neither in the queue nor finished: they were skipped. Only with `onlyKnown`. */
  unknown: number;
  /** Uuids of some of the unknown tasks, for a message. */
  readonly strangers: string[];
}

/** Returns counts of nothing. */
export function noCounts(): SettleCounts {
  return { done: 0, back: 0, again: 0, dead: 0, gone: 0, unknown: 0, strangers: [] };
}

/** Names of counts that are numbers. */
export const SETTLED = ['done', 'back', 'again', 'dead', 'gone', 'unknown'] as const;

/** Options for settling tasks. */
export interface SettleOptions {
  /** Worker whose failures are settled; failures of all workers if no worker has this name. */
  readonly worker?: string | undefined;
  /** Delay before a failed task is delivered again, in milliseconds. Default 0. */
  readonly delay?: number | undefined;
  /**
   * True to skip tasks that are neither in the queue nor finished. Default false: a success marks them as finished.
   */
  readonly onlyKnown?: boolean | undefined;
}

/** Numbers of tasks by state. */
export interface Size {
  /** Tasks that can be delivered now; including those with an expired lease. */
  readonly waiting: number;
  readonly delayed: number;
  /** Tasks that are delivered and not settled. */
  readonly active: number;
  readonly dead: number;
  readonly finished: number;
  readonly paused: boolean;
  readonly workers: readonly WorkerState[];
}

/** Numbers of dead tasks by the code of their last failure. */
export type Causes = Readonly<Record<string, number>>;

/** A running `pull`. */
export interface WorkerState {
  readonly worker: string;
  /** Number of its tasks that are not settled. */
  readonly out: number;
}

/** A task without attempts left. */
export interface DeadTask {
  readonly task: Task;
  readonly deliveries: number;
  /** Time of the last failure, in milliseconds since the epoch. */
  readonly at: number;
  readonly error: Failure;
}

/** Lowest value of `Queue.claims` for a queue that has the task. */
export const IN_QUEUE = 2;

/** A queue of tasks that many machines share. All errors are `TaskpipeError`s with code `IO`. */
export interface Queue {
  readonly name: string;
  push(tasks: readonly Task[], options?: PushOptions): Promise<PushCounts>;
  /** Settles delivered tasks. Settling one twice is harmless. */
  settle(verdicts: readonly Verdict[], options?: SettleOptions): Promise<SettleCounts>;
  /**
   * Returns for each uuid: 3 if a worker of this name has it, `IN_QUEUE` if it is in the queue, 1 if it is finished,
   * 0 if it is unknown.
   */
  claims(uuids: readonly string[], worker: string | undefined): Promise<readonly number[]>;
  /** Signals a worker that verdicts may still follow from this process. Call it every `SETTLING` milliseconds. */
  keepSettling(worker: string): Promise<void>;
  /** Signals a worker that no more verdicts follow. */
  endSettling(worker: string): Promise<void>;
  /** Starts to deliver tasks. */
  consume(options: ConsumeOptions): Promise<Consumer>;
  size(): Promise<Size>;
  /** Counts the dead tasks by cause. Reads each of them. */
  causes(): Promise<Causes>;
  /** Returns the age of the task that is delivered next, in milliseconds; 0 if none waits. */
  latency(): Promise<number>;
  /** Yields all dead tasks. A job of another program that is not a task has its id as uuid, and its data as `job`. */
  dead(): AsyncIterable<readonly DeadTask[]>;
  /** Returns all dead tasks to the queue with all attempts. @returns the number of tasks */
  retry(): Promise<number>;
  /** Returns some dead tasks to the queue with all attempts. @returns the uuids of those that were dead */
  retryThese(uuids: readonly string[]): Promise<readonly string[]>;
  /**
   * Removes tasks that wait, are delayed or dead, and dead jobs that `dead` yields; those of workers stay.
   * @returns the uuids that were removed
   */
  remove(uuids: readonly string[]): Promise<readonly string[]>;
  /**
   * Moves waiting tasks to the front, in this order.
   * @returns the uuids of the tasks that wait
   */
  front(uuids: readonly string[]): Promise<readonly string[]>;
  /** Removes all tasks. Finished uuids stay known. */
  clear(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  isPaused(): Promise<boolean>;
  /** Asks workers to stop gracefully. @param worker default: all @returns the number of workers */
  stop(worker?: string): Promise<number>;
}

/** Options for taking tasks. */
export interface ConsumeOptions {
  readonly worker: string;
  /** Time after which the tasks of a silent worker are delivered again, in milliseconds. */
  readonly lease: number;
}

/** Tasks settled since the last report. */
export interface Returned {
  readonly uuids: readonly string[];
  /** True once the settling process has ended. */
  readonly isEnd: boolean;
  /** True if the connection was lost since the last report, so that no task could be settled for some time. */
  readonly isBack: boolean;
}

/** Interval at which a settling process shows that it is alive, in milliseconds. */
export const SETTLING = 500;

/** A consumer: takes tasks for one worker and renews their leases. */
export interface Consumer {
  /** Uuids of unacknowledged tasks. */
  readonly out: Iterable<string> & { readonly size: number; has(uuid: string): boolean };
  /** Takes up to `count` tasks. @param skip returns true for tasks that must not be taken now; they go back */
  take(count: number, skip?: (uuid: string) => boolean): Promise<readonly Task[]>;
  /** Reports tasks that another process settled. */
  returned(): Promise<Returned>;
  /** Returns whether a process is alive that may still settle the unacknowledged tasks. */
  isHeardOf(): Promise<boolean>;
  /** Renews all leases and requeues tasks of dead workers. Call it a few times per lease. */
  renew(): Promise<void>;
  /** Sends a heartbeat. Returns whether the worker was asked to stop. */
  greet(): Promise<boolean>;
  /** Returns whether no task is waiting, delayed or active. */
  isEmpty(): Promise<boolean>;
  /**
   * Returns unacknowledged tasks to the front. Returns their number.
   * @param isSuspect returns true for tasks that were in a stage that died: they go to the back, are delivered in
   *   smaller and smaller groups, and finally alone. Default: none
   */
  giveBack(isSuspect?: (uuid: string) => boolean): Promise<number>;
  /** Removes the consumer. Unacknowledged tasks stay leased until their lease expires. */
  close(): Promise<void>;
}

/** Cost of an attempt in a quota that machines share. */
export interface QuotaCharge {
  readonly name: string;
  /** Limit and window. */
  readonly rate: Rate;
  readonly cost: number;
}

/** Answer to a charge. */
export interface QuotaAnswer {
  /** Time until the next useful attempt, in milliseconds; 0 if the charges were made. */
  readonly wait: number;
  /** Place of each charge, for `correct`; none if there is a wait. */
  readonly places: readonly string[];
}

export interface QuotaCorrection extends Omit<QuotaCharge, 'cost'> {
  readonly place: string;
  /** Amount to charge, or to refund if it is negative. */
  readonly difference: number;
}

/** Several queues over one connection. */
export interface Queues {
  readonly all: readonly Queue[];
  readonly place: string;
  /** Reserves the next start of a lane whose rate all machines share. Returns the time until then, in milliseconds. */
  turn(lane: string, rate: Rate): Promise<number>;
  /** Charges the costs of an attempt to a lane whose quotas all machines share, if there is room for them. */
  charge(lane: string, asker: string, charges: readonly QuotaCharge[]): Promise<QuotaAnswer>;
  /** Corrects the charges of an attempt. */
  correct(lane: string, corrections: readonly QuotaCorrection[]): Promise<void>;
  /** Closes the connection. A promise resolves once nothing is left open. */
  close(): void | Promise<void>;
}
