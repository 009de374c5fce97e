/** How far an output is known, told by the lines of a ledger in their order. */
export class VerifiedEnd {
  /** Size up to which the output is known. Undefined if it was not named. */
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

  /** Verified by a full scan: all rows up to there are named. The output may be shorter than it was. */
  all(end: number): void {
    this.hasHole = false;
    this.end = end;
    this.named = end;
  }

  /** Lines may be missing here, of rows that those after it do not tell of. */
  hole(): void {
    this.hasHole = true;
  }
}
