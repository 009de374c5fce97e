import type { AtomTime } from '../core/base/call-times.ts';
import type { Bin } from '../core/base/histogram.ts';
import type { CostReport } from './cost-report.ts';

/** Report of a run, as `--report FILE.json` writes it. Times are in milliseconds unless stated otherwise. */
export interface Report {
  /** Program and version, such as `task-exec 1.0.0`; absent in the library. */
  readonly program?: string;
  /** Command line, quoted for a shell, without secrets; absent in the library. */
  readonly command?: string;
  /** Start of the first task and end of the run, ISO 8601 in UTC. */
  readonly started: string;
  readonly ended: string;
  /** Duration of the run. */
  readonly ms: number;
  /**
   * End of the run: `complete` at the end of input; `stopped` by a signal or by the work; `max-failures`; `budget`;
   * or `broken` by an error, for example because the reader of the output left: the figures are those until that
   * moment. `running` if the run has not ended.
   */
  readonly outcome: 'complete' | 'stopped' | 'max-failures' | 'budget' | 'broken' | 'running';
  readonly tasks: TaskCounts;
  /** Attempts beyond the first. */
  readonly retries: number;
  /** Tasks that ended, per second. */
  readonly rate: number;
  readonly latency: Latency;
  readonly throughput: Throughput;
  /** Causes of failures and retries, the most frequent first. At most 100, and `OTHER`. */
  readonly causes: readonly Cause[];
  /** Hosts, the one with the most tasks first; empty if the work has none. At most 1,000. */
  readonly hosts: readonly Host[];
  /** Sums of all other hosts; absent if there are none. */
  readonly otherHosts?: HostCounts;
  /** Times of the atoms of flows, by name, the longest total first; absent if there are none. At most 1,000, and `OTHER`. */
  readonly atoms?: readonly AtomTime[];
  /** Costs of tasks, by name; absent without `--cost` and `--quota`. */
  readonly costs?: readonly CostReport[];
}

/** Numbers of tasks by outcome. */
export interface TaskCounts {
  readonly succeeded: number;
  readonly failed: number;
  /** Failed tasks that were reverted. */
  readonly reverted: number;
  /** Tasks that were read but not finished. */
  readonly pending: number;
  /** Tasks that arrived as failures and were passed on. */
  readonly passed: number;
  /** Tasks added by other tasks. */
  readonly added: number;
  /** Tasks that were skipped because they were seen before or are finished. */
  readonly known: number;
  /** Invalid lines. */
  readonly rejected: number;
}

/**
 * Durations of tasks from the first attempt to the end, retries and waits included: `run.ms` of the records, failures
 * included. The error of percentiles is at most 0.8 %.
 */
export interface Latency {
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Numbers of tasks that took at least `from` and less than `to`; empty ranges are omitted. */
  readonly bins: readonly (Bin & { readonly failed: number })[];
}

/** Counts over time, in at most 512 ranges, which become longer during the run. */
export interface Throughput {
  /** Length of a range. The first one starts at `started`. */
  readonly width: number;
  /** Counts per range: tasks that succeeded (or were reverted), tasks that failed, and retries. */
  readonly succeeded: readonly number[];
  readonly failed: readonly number[];
  readonly retries: readonly number[];
}

export interface Cause {
  /** Error code, such as `TIMEOUT`; `HTTP_STATUS` with its status, such as `HTTP_STATUS 404`. */
  readonly code: string;
  /** Tasks that finally failed with this code. */
  readonly failed: number;
  /** Attempts that failed with this code and were retried. */
  readonly retries: number;
  /** First failure with this code. */
  readonly example: { readonly uuid: string; readonly message: string };
}

export interface HostCounts {
  /** Tasks that ended. */
  readonly tasks: number;
  readonly failed: number;
  readonly retries: number;
}

export interface Host extends HostCounts {
  /** Origin, such as `https://example.com:8443`. */
  readonly host: string;
  /** Statistics as in `latency`. The error is at most 7 %, except for `mean` and `max`, which are exact. */
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  /** Failed tasks by code. At most 20 codes, and `OTHER`. */
  readonly causes: Readonly<Record<string, number>>;
}
