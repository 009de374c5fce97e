import type { BatchLimits } from '../contract.ts';

/** Limits of an output of Parquet. A commit is a part, so that a batch is larger than for other outputs. */
export const PARQUET_LIMITS: BatchLimits = {
  records: 50_000,
  interval: 60_000,
  size: 32 * 1024 * 1024,
  mostSize: 32 * 1024 * 1024,
  mostRecords: Number.POSITIVE_INFINITY,
};
