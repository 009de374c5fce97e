import type { Notify } from '../core/record/event.ts';
import type { Failure, State, Task } from '../core/record/task.ts';

/** What one attempt at a task gave. */
export interface Outcome {
  /** The result as JSON text on one line. A failure may have one too, as an HTTP status has. */
  readonly result?: string;
  /** Why it failed; absent on success. */
  readonly error?: Failure;
  /**
   * The state of the record, where that is more than whether there is an error: a flow that was reverted, or one that
   * was asked to stop before its end (`PENDING`). Default: `FAILURE` with an error, `SUCCESS` without.
   */
  readonly state?: State;
  /** Present where the failure may pass, so that another attempt makes sense. */
  readonly retry?: RetryHint;
  /** Where it failed, for the events: the stack of what was thrown. */
  readonly stack?: string;
  /** Tasks that the work has found. They are kept with its success, and done too. */
  readonly children?: readonly Child[];
}

/** A task that work has found. */
export interface Child {
  readonly task: Task;
  /** Whether it goes before all that waits. */
  readonly front: boolean;
  /** Whether it is done although a task of its uuid is known. */
  readonly again: boolean;
}

/** When to try again. */
export interface RetryHint {
  /** How long the other side asked to wait, in milliseconds. Absent: our own backoff. */
  readonly after?: number;
  /** Whether that holds for the whole lane, and not for this task alone. */
  readonly pauseLane?: boolean;
}

/** What an attempt is told. */
export interface Attempt {
  /** Which one it is, from 1. */
  readonly number: number;
  /** Aborted where the stage leaves: give up at once. The outcome is then not looked at. */
  readonly signal: AbortSignal;
  readonly stage: StageControl;
}

/** What work may ask of its stage. */
export interface StageControl {
  /** Takes no more tasks, and lets what runs finish, as the first signal does. */
  stop(): void;
  /** A task of that uuid is finished, whoever did it: it is not begun, nor added again. */
  done(uuid: string): void;
}

/** A kind of work. Makes one attempt at a task at a time; when, how often and how many at once is not its business. */
export interface Executor {
  /**
   * Tasks of one lane share what is limited: an HTTP origin, so `https://h:443`. Default: one lane for all.
   * Must not throw; a task that has none (a bad url) may be in any.
   */
  lane?(task: Task): string;
  /** How many attempts it can have under way now; it may change at any time. Default: the number of jobs. */
  readonly capacity?: number;
  /** Makes one attempt. A failed task is an outcome, never an exception; an exception ends the stage. */
  attempt(task: Task, attempt: Attempt): Promise<Outcome> | Outcome;
  /** Whether its work may find tasks, so that the stage has to know which it has seen. */
  readonly finds?: boolean;
  /** What would be done, in a line, for `--dry-run`. */
  describe(task: Task): string;
  /** Gives back what it holds. */
  close(): Promise<void>;
}

/** What an executor is told of the stage and the process it is in. */
export interface Setting {
  /** The version of this package. */
  readonly version: string;
  /** For each attempt, first to last byte, in milliseconds. */
  readonly timeout: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether failed records are to be undone, in place of work on the others. */
  readonly revert: boolean;
  /** Where the log of each task goes, in a file of its own. */
  readonly logDir: string | undefined;
  /** A line on stderr as it is: to be copied, or run. */
  readonly tell: (line: string) => void;
  /** A message for people, which `--quiet` silences. */
  readonly note: (message: string) => void;
  /** Is told of the changes inside of a task's work, where somebody wants to know. */
  readonly notify?: Notify | undefined;
  /** Aborted where the stage is to come to an end in good order. */
  readonly stopping?: AbortSignal | undefined;
}
