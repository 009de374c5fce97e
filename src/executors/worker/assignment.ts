import type { RecordReject } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import type { Outcome, WholeOutcome } from '../contract.ts';
import type { Call } from '../program/start-program.ts';

/** Form of batches on the pipes of a worker: one line of JSON, or a line for each record and an empty one. */
export type BatchForm = 'object' | 'lines';

/** Answer of a worker for a batch. */
export interface BatchAnswer {
  /** Texts of its items. */
  readonly items: readonly string[];
  /** Values of the items, if they were parsed with the line. */
  readonly values?: readonly unknown[];
  /** True if it repeats the batch. */
  readonly isEcho?: boolean;
  /** Error that counts for all tasks, in place of items: JSON text with a member `error`. */
  readonly whole?: string;
}

/** Reason an answer for a batch is invalid. `SINGLE`: it is for one task. */
export interface InvalidAnswer {
  readonly code: RecordReject['code'] | 'FORM' | 'SINGLE';
  readonly message: string;
}

/** Task on its way to a worker and back. */
export interface Assignment {
  readonly task: Task;
  /** Tasks of a batch; `task` is then the batch. */
  readonly batch?: readonly Task[];
  /** Takes the outcome; for a batch, the outcome of all its tasks. */
  settle(outcome: Outcome, halves?: WholeOutcome['halves']): void;
  /** Takes the outcomes of the tasks of a batch. */
  settleAll?(outcomes: readonly Outcome[]): void;
  /** Ends the stage. */
  fail(error: unknown): void;
}

/** End of a worker, with the tasks that it leaves. */
export interface Death {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Reason it was killed by us, or never started. */
  readonly cause: 'timeout' | 'output' | 'start' | undefined;
  readonly hasAnswered: boolean;
  /** True if it ended at the end of its input, with exit code 0 and unanswered tasks. */
  readonly isEarly: boolean;
  /** Unanswered tasks, the oldest first. */
  readonly left: readonly Assignment[];
  /** Task that it probably worked on: the oldest one, or the one that exceeded its timeout. */
  readonly culprit: Assignment | undefined;
  /** Last line of its stderr. */
  readonly lastWords: string;
}

export interface WorkerSetup {
  readonly number: number;
  readonly call: Call;
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Number of tasks that it may have at once; undefined: adapted to its pace. */
  readonly perWorker: number | undefined;
  /** Longest time for the oldest of its tasks, in milliseconds. */
  readonly timeout: number;
  /** Longest line, in bytes. */
  readonly maxOutput: number;
  /** Form of batches; undefined if each line is a task. */
  readonly batchForm?: BatchForm | undefined;
  /** Maximum number of tasks of a batch. */
  readonly batch?: number | undefined;
  answeredBatch(assignment: Assignment, answer: BatchAnswer): void;
  answered(assignment: Assignment, answer: Task): void;
  /** Called with a task or batch whose answer is invalid, and the reason. */
  refused(assignment: Assignment, why: string): void;
  /** Called when its pipe has room again. */
  freed(): void;
  /** Called if it does not answer its first task for a while. */
  silent(): void;
  /** Called with a line of its stderr, or with a complaint about its stdout. */
  said(words: string): void;
  died(death: Death): void;
}

/** Returns the oldest of the tasks that a worker has. */
export function oldestOf(assignments: ReadonlyMap<string, Assignment>): Assignment | undefined {
  return assignments.values().next().value;
}
