/** Size up to which an output is known, computed from the lines of a ledger in their order. */
export class VerifiedEnd {
  /** Size up to which the output is known, in bytes. Undefined if no line named the output. */
  end: number | undefined;
  /** Size up to which no line can be missing, in bytes. */
  verified = 0;
  /** True if lines may be missing and no full scan has followed. */
  hasGap = false;

  /** Records a line about a row that ends at `end`. */
  row(end: number): void {
    if (this.end === undefined || end > this.end) this.end = end;
    if (!this.hasGap) this.verified = this.end;
  }

  /** Records that a full scan has verified all rows up to `end`. The output may be shorter than before. */
  all(end: number): void {
    this.hasGap = false;
    this.end = end;
    this.verified = end;
  }

  /** Records that lines may be missing here. Later lines do not make up for them. */
  gap(): void {
    this.hasGap = true;
  }
}
