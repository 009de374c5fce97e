/** A count with what it is of: `{ count: 12, words: 'saved' }`. */
export interface Count {
  readonly count: number;
  /** ASCII. */
  readonly words: string;
  readonly isFailure?: boolean;
}

/** How far a stage is. */
export interface Progress {
  /** Tasks that are through with the stage, whatever came of them: what rate and percentage are of. */
  readonly through: number;
  /** What came of them, the most telling first. A zero is not shown, but for the first. */
  readonly counts: readonly Count[];
  /** How much of all that is, from 0 to 1, where the stage itself knows. */
  readonly share?: number | undefined;
}

/**
 * How many tasks will come, or what finds that out; it is called only where somebody looks.
 * `until` is aborted where nobody looks any more; what it then resolves to is nobody's business.
 */
export type Total = number | ((until: AbortSignal) => Promise<number>);
