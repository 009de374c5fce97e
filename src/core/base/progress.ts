/** A count with its label: `{ count: 12, words: 'saved' }`. */
export interface Count {
  readonly count: number;
  /** Label, in ASCII. */
  readonly words: string;
  readonly isFailure?: boolean;
}

/** Progress of a stage. */
export interface Progress {
  /** Tasks that left the stage, failed ones included. Rate and percentage are computed from it. */
  readonly through: number;
  /** Outcomes, the most important first. Zeros are hidden, except for the first. */
  readonly counts: readonly Count[];
  /** Number of bytes that were written so far, for work with long tasks. */
  readonly bytes?: number | undefined;
  /**
   * Returns further parts to show, in ASCII, the most important first. @param share fraction of all tasks, if
   * known
   */
  readonly notes?: ((share?: number) => readonly string[]) | undefined;
  /** Fraction of all tasks, from 0 to 1, if the stage knows it. */
  readonly share?: number | undefined;
}

/**
 * Expected number of tasks, or a function that counts them. It is called only if progress is shown. `until` is aborted
 * when progress is no longer shown; the result is then ignored.
 */
export type Total = number | ((until: AbortSignal) => Promise<number>);
