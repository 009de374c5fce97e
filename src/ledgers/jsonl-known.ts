/** How far an output is known, told by the lines of a ledger in their order. */
export class Known {
  /** The largest `end`. Undefined where the output was not named. */
  end: number | undefined;
  /** Up to there, no line can be missing. */
  named = 0;
  /** Whether lines may be missing, of rows that were not looked at since. */
  hasHole = false;

  /** A row ends there. */
  row(end: number): void {
    if (this.end === undefined || end > this.end) this.end = end;
    if (!this.hasHole) this.named = this.end;
  }

  /** Somebody has looked: all rows up to there are named. */
  all(end: number): void {
    this.hasHole = false;
    this.row(end);
  }

  /** Lines may be missing here, of rows that those after it do not tell of. */
  hole(): void {
    this.hasHole = true;
  }
}
