import type { AtomTime } from '../core/base/call-times.ts';
import type { Notify } from '../core/record/event.ts';
import type { Failure, State, Task } from '../core/record/task.ts';

/** Outcome of one attempt at a task. */
export interface Outcome {
  /** Result as JSON text on one line. A failure may have one too, such as an HTTP status. */
  readonly result?: string;
  /** Reason of the failure; absent on success. */
  readonly error?: Failure;
  /**
   * State of the record, if neither default fits: a flow that was reverted, or one that was stopped before its end
   * (`PENDING`). Default: `FAILURE` with an error, `SUCCESS` without.
   */
  readonly state?: State;
  /** Present if the failure may be temporary, so that another attempt makes sense. */
  readonly retry?: RetryHint;
  /** Stack of the thrown value, for events. */
  readonly stack?: string;
  /** Record to pass on in place of the task, with further attributes: the place of a page, for example. */
  readonly task?: Task;
  /** Tasks that the work added. They are kept only if it succeeds, and then run too. */
  readonly children?: readonly Child[];
  /** True if the result was stored before, so that the time of the attempt says nothing about the lane. */
  readonly isStored?: boolean;
  /** Time for which no more tasks start in the lane, in milliseconds: a limit of its server is used up. */
  readonly pause?: number;
  /** Limits that the server reported, for the lane of the task. */
  readonly told?: readonly ToldLimit[];
  /**
   * Number of tasks of the call, if this is the outcome of a whole call: the costs in its result are for all of them.
   */
  readonly sharedBy?: number;
  /**
   * Present if the attempt has not ended: the rest of it waits for a lane. All other members except `pause` are then
   * ignored.
   */
  readonly moved?: Move;
}

/**
 * Outcome of one call for several tasks: one for each, in their order; or one of the whole call, which says nothing
 * about a single task.
 */
export type BatchOutcome = readonly Outcome[] | WholeOutcome;

/** Outcome of a call that counts for all of its tasks. */
export interface WholeOutcome {
  readonly whole: Outcome;
  /**
   * Time at which the tasks are called again in halves, to find the one at fault: `now`; `later`, once the retries that
   * the outcome asks for are used up; or `never`, because the call may have done its work.
   */
  readonly halves: 'now' | 'later' | 'never';
}

/** Limit of a server, as an answer reports it. */
export interface ToldLimit {
  /** Name of the cost that it limits, such as `tokens`. */
  readonly name: string;
  /** Amount that is left. */
  readonly left: number;
  /** Time until it is reset, in milliseconds. */
  readonly wait: number;
}

/** Rest of an attempt, which waits until a lane has room: a redirect to another host, for example. */
export interface Move {
  /** Lane that it waits for. */
  readonly lane: string;
  /** Makes the rest of the attempt. */
  goOn(attempt: Attempt): Promise<Outcome> | Outcome;
}

/** Task that was added by the work of another one. */
export interface Child {
  readonly task: Task;
  /** True if it runs before all waiting tasks. */
  readonly front: boolean;
  /** True if it runs even if its uuid was seen or is finished. */
  readonly again: boolean;
}

/** Time of the next attempt. */
export interface RetryHint {
  /** Wait that the other side asked for, in milliseconds. Absent: backoff of the stage. */
  readonly after?: number;
  /**
   * Set if the wait applies to the whole lane, not only to this task. Without `after`, the stage chooses the wait: it
   * doubles with each refusal.
   */
  readonly pauseLane?: boolean;
  /** Set if the attempt did a part of the work that the next one does not repeat. It does not count as a retry. */
  readonly hasProgress?: boolean;
}

/** Context of an attempt. */
export interface Attempt {
  /** Number of the attempt, from 1. */
  readonly number: number;
  /** Position of the task in the input, from 0; only known in the stage itself. */
  readonly ordinal?: number;
  /** Aborted when the stage leaves: give up at once. The outcome is then ignored. */
  readonly signal: AbortSignal;
  /** Aborted when this task is cancelled: end the attempt soon. Absent if single tasks cannot be cancelled. */
  readonly cancelled?: AbortSignal | undefined;
  /** True if the outcome may be `moved`. */
  readonly mayMove?: boolean;
  readonly stage: StageControl;
}

/** Requests to the stage. */
export interface StageControl {
  /** Starts no more tasks and lets the running ones finish, as the first signal does. */
  stop(): void;
  /** Marks a task as finished elsewhere: it is not started, and not added again. */
  done(uuid: string): void;
}

/** Kind of work. It makes single attempts; the stage decides when, how often and how many at once. */
export interface Executor {
  /**
   * Returns the lane of a task. Tasks of one lane share limits: for HTTP the origin, such as `https://h:443`.
   * Default: one lane for all. Must not throw; a task with an invalid url may be in any lane.
   */
  lane?(task: Task): string;
  /** Number of attempts that it can run at once; it may change at any time. Default: the number of jobs. */
  readonly capacity?: number;
  /** Makes one attempt. A failed task is an outcome, never an exception; an exception ends the stage. */
  attempt(task: Task, attempt: Attempt): Promise<Outcome> | Outcome;
  /**
   * Makes one attempt at several tasks, by one call. They have the same lane and `batchKey`. Absent if the kind has no
   * such calls. The outcomes are never `moved`.
   * @param attempt its number is the highest of the tasks, its ordinal that of the first
   */
  attemptAll?(tasks: readonly Task[], attempt: Attempt): Promise<BatchOutcome> | BatchOutcome;
  /**
   * Returns a text that tasks of one call have in common, or the failure of a task that cannot be in one. Default: any
   * tasks may be in one call. Must not throw.
   */
  batchKey?(task: Task): string | Failure;
  /**
   * Called whenever the input has ended and no task waits: from then on only retries follow. Work in batches need not
   * wait for further tasks.
   */
  drained?(): void;
  /** Set if the work may add tasks. The stage must then remember the uuids it has seen. */
  readonly finds?: boolean;
  /**
   * Returns a one-line description of the work, for `--dry-run`.
   * @param ordinal position of the task in the input, from 0
   */
  describe(task: Task, ordinal?: number): string;
  /** Number of bytes that were written to files so far; undefined if the work writes none. */
  readonly bytes?: number | undefined;
  /** Returns the times of the atoms of flows so far, for the report. */
  atomTimes?(): readonly AtomTime[];
  /** Releases its resources. */
  close(): Promise<void>;
}

/** Stage and process that an executor works in. */
export interface Setting {
  /** Version of this package. */
  readonly version: string;
  /** Timeout of each attempt, first to last byte, in milliseconds. */
  readonly timeout: number;
  /** Timeout as a percentage of the median time, if the kind supports it. */
  readonly timeoutPercent?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if failed records are reverted, instead of work on the others. */
  readonly revert: boolean;
  /** Folder with one log file for each task. */
  readonly logDir: string | undefined;
  /** Writes a line to stderr unchanged: to be copied or run. */
  readonly print: (line: string) => void;
  /** Writes a message to stderr, unless `--quiet` was given. */
  readonly info: (message: string) => void;
  /** True to measure the times of parts of tasks, for the report. */
  readonly measures?: boolean;
  /** Called for state changes inside a task, if events are wanted. */
  readonly notify?: Notify | undefined;
  /** Aborted when the stage should finish what runs and end. */
  readonly stopping?: AbortSignal | undefined;
}
