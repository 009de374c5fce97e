import type { Failure, Task } from '../core/task.ts';

/** What one attempt at a task gave. */
export interface Outcome {
  /** The result as JSON text on one line. A failure may have one too, as an HTTP status has. */
  readonly result?: string;
  /** Why it failed; absent on success. */
  readonly error?: Failure;
  /** Present where the failure may pass, so that another attempt makes sense. */
  readonly retry?: Retry;
}

/** When to try again. */
export interface Retry {
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
}

/** A kind of work. Makes one attempt at a task at a time; when, how often and how many at once is not its business. */
export interface Executor {
  /**
   * Tasks of one lane share what is limited: an HTTP origin, so `https://h:443`. Default: one lane for all.
   * Must not throw; a task that has none (a bad url) may be in any.
   */
  lane?(task: Task): string;
  /** Makes one attempt. A failed task is an outcome, never an exception; an exception ends the stage. */
  attempt(task: Task, attempt: Attempt): Promise<Outcome> | Outcome;
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
  /** A line on stderr as it is: to be copied, or run. */
  readonly tell: (line: string) => void;
}
