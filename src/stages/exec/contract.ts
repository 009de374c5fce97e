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
