import type { Task } from '../../core/record/task.ts';
import type { Outcome } from '../contract.ts';
import type { Call } from '../program/start-program.ts';

/** A task on its way to an answer. */
export interface Errand {
  readonly task: Task;
  settle(outcome: Outcome): void;
  /** Ends the stage. */
  fail(error: unknown): void;
}

/** How a worker came to its end, and what it leaves. */
export interface Death {
  readonly exit: number | null;
  readonly signal: string | null;
  /** Why it was killed, or was never started. */
  readonly cause: 'timeout' | 'output' | 'start' | undefined;
  /** Whether it ever answered. */
  readonly hasAnswered: boolean;
  /** What it had and did not answer, the oldest first. */
  readonly left: readonly Errand[];
  /** Of these, the one that it was at, as far as can be told: the oldest, or the one whose time was over. */
  readonly culprit: Errand | undefined;
  /** The last line that it said on its standard error. */
  readonly lastWords: string;
}

export interface WorkerSetup {
  readonly number: number;
  readonly call: Call;
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** How many tasks it may have at once; undefined: by its pace. */
  readonly perWorker: number | undefined;
  /** How long the oldest of its tasks may take, in milliseconds. */
  readonly timeout: number;
  /** The longest line, in bytes. */
  readonly maxOutput: number;
  answered(errand: Errand, answer: Task): void;
  /** Its pipe has room again. */
  freed(): void;
  /** Something that it said, or printed and should not have. */
  said(words: string): void;
  died(death: Death): void;
}
