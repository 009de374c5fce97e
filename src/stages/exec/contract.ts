import type { Task } from '../../core/record/task.ts';
import type { Report } from '../../reports/report.ts';

/** Tasks as they come out, in batches. */
export interface Execution extends AsyncIterable<readonly Task[]> {
  readonly counts: Readonly<ExecCounts>;
  /** Number of running attempts. */
  readonly running: number;
  /** Number of calls that these attempts are made by: fewer with batches. */
  readonly calls: number;
  /** Number of bytes that the work wrote to files so far; undefined if it writes none. */
  readonly bytes: number | undefined;
  /** Returns the report of the run so far. */
  report(): Report;
  /**
   * Ends the run without waiting, for a process whose event loop is blocked.
   * @param used number of records that the caller has dealt with
   * @param unread tasks that come after those which the run has read
   * @returns the other records: unfinished tasks are PENDING
   */
  abandon(used: number, unread: readonly Task[]): readonly Task[];
}

/** Counts of a stage so far. */
export interface ExecCounts {
  succeeded: number;
  failed: number;
  /** Tasks passed on as PENDING. */
  pending: number;
  /** Failed tasks that were reverted. */
  reverted: number;
  /** Tasks added by other tasks. */
  added: number;
  /** Tasks that were skipped: seen before, or finished. */
  known: number;
  /** Tasks that arrived as failed or reverted and were passed on unchanged. */
  passed: number;
  /** Attempts beyond the first. */
  retries: number;
  /** Failures by code; beyond 1,000 codes, further ones count as `OTHER`. */
  readonly causes: Map<string, number>;
  /** True if `maxFailures` stopped the stage. */
  hasTooManyFailures: boolean;
  /** True if the stage stopped because a budget was used up. */
  isOverBudget: boolean;
  /** True if `halt` ended the stage because enough tasks succeeded. */
  isReached: boolean;
}
