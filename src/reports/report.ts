import type { Bin } from '../core/histogram.ts';

/** How a run of a stage went. It is what `--report FILE.json` has; times are in milliseconds unless said otherwise. */
export interface Report {
  /** What ran, as in `task-exec 1.0.0`; absent where it was the library. */
  readonly program?: string;
  /** The command line, quoted for a shell, without secrets; absent where it was the library. */
  readonly command?: string;
  /** When the first task was begun, and when all was over: ISO 8601 in UTC. */
  readonly started: string;
  readonly ended: string;
  /** From the one to the other. */
  readonly ms: number;
  /**
   * How it was over: `complete` at the end of the input; `stopped` by a signal or by the work; by `max-failures`; or `broken`
   * by an error that ended the stage, as where the reader of its output left: the figures are those until then.
   * `running` where it is not over.
   */
  readonly outcome: 'complete' | 'stopped' | 'max-failures' | 'broken' | 'running';
  readonly tasks: TaskCounts;
  /** Attempts beyond the first. */
  readonly retries: number;
  /** Tasks that came to an end, in a second. */
  readonly rate: number;
  readonly latency: Latency;
  readonly throughput: Throughput;
  /** Why tasks failed, or were tried again, the most frequent cause first. At most 100 of them, and `OTHER`. */
  readonly causes: readonly Cause[];
  /** By host, the one with the most tasks first; empty where the work knows none. At most 1,000 of them. */
  readonly hosts: readonly Host[];
  /** All other hosts taken together; absent where there are none. */
  readonly otherHosts?: HostCounts;
}

/** What became of the tasks. */
export interface TaskCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Failures that were undone. */
  readonly reverted: number;
  /** Read, but not finished. */
  readonly pending: number;
  /** Arrived as failures, and were passed on. */
  readonly passed: number;
  /** Found by other tasks. */
  readonly added: number;
  /** Left out, as they were seen before or said to be done. */
  readonly known: number;
  /** Lines that were no task. */
  readonly rejected: number;
}

/**
 * How long tasks took, from the first attempt to the end, retries and the waits before them included: `run.ms` of the
 * records. Of all that came to an end, failures too. Percentiles are off by at most 0.8 %.
 */
export interface Latency {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** How many took at least `from` and less than `to`; ranges without any are left out. */
  readonly bins: readonly (Bin & { readonly failed: number })[];
}

/** What happened when: in at most 512 ranges of time, which get longer as the run does. */
export interface Throughput {
  /** How long each range is. The first one begins at `started`. */
  readonly width: number;
  /** For each range: tasks that succeeded (or were undone) or failed, and attempts that were followed by another. */
  readonly succeeded: readonly number[];
  readonly failed: readonly number[];
  readonly retries: readonly number[];
}

export interface Cause {
  /** As in `HTTP_STATUS`. */
  readonly code: string;
  /** Tasks that failed for it in the end. */
  readonly failed: number;
  /** Attempts that failed for it, and were followed by another. */
  readonly retries: number;
  /** The first of them. */
  readonly example: { readonly uuid: string; readonly message: string };
}

export interface HostCounts {
  /** Tasks that came to an end. */
  readonly tasks: number;
  readonly failed: number;
  readonly retries: number;
}

export interface Host extends HostCounts {
  /** The origin, as in `https://example.com:8443`. */
  readonly host: string;
  /** As in `latency`, but off by at most 7 %, apart from `mean` and `max`. */
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** Failed tasks by code. At most 20 codes, and `OTHER`. */
  readonly causes: Readonly<Record<string, number>>;
}
