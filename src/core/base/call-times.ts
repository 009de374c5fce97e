/** Times of the calls of a function, in milliseconds. The median is off by at most 3 %, and by 0.1 ms. */
export interface CallTimes {
  readonly count: number;
  /** Calls that failed, which the other figures include. */
  readonly failed: number;
  readonly total: number;
  readonly median: number;
  readonly max: number;
}

/** Times of the atoms with one name, in all flows of a run. */
export interface AtomTime extends CallTimes {
  readonly atom: string;
  /** Times of its reverts; absent if there were none. */
  readonly reverts?: CallTimes;
}
