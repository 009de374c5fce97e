import { Histogram } from '../core/base/histogram.ts';
import type { Failure } from '../core/record/task.ts';
import type { Job, Lane } from '../core/schedule/lanes/lane.ts';
import { causeCode, clipped, detached, OTHER } from './failure-codes.ts';
import { Hosts } from './hosts.ts';
import type { Cause, Report } from './report.ts';
import { Timeline } from './timeline.ts';

/** Maximum number of distinct causes. */
const CAUSES = 100;

/** Maximum lengths of a code and a message, in characters. */
const LONGEST_CODE = 100;
const LONGEST_MESSAGE = 500;

/** Resolution of a report's bins: eight per doubling. */
const SHOWN_BITS = 3;

type Entry = { -readonly [K in keyof Cause]: Cause[K] };

interface Repeated {
  readonly now: number;
  readonly began: number;
  readonly lane: Lane | undefined;
  times: number;
}

const NONE: Repeated = { now: 0, began: 0, lane: undefined, times: 0 };

/** Measured parts of a report. */
export type Measured = Pick<
  Report,
  'started' | 'ended' | 'ms' | 'rate' | 'latency' | 'throughput' | 'causes' | 'hosts' | 'otherHosts'
>;

/** Measurements of a run of a stage. Takes less than 5 MB, and a few nanoseconds per task. */
export class Tally {
  readonly #latencies = new Histogram(6);
  readonly #ofFailed = new Histogram(6);
  readonly #causes = new Map<string, Entry>();
  readonly #hosts = new Hosts();
  /**
   * Equal successes that are not counted yet. If tasks take a microsecond, nearly all successes are equal to the
   * millisecond, and are counted together; if tasks take longer, the cost of counting does not matter.
   */
  #last: Repeated = NONE;
  #start: number | undefined;
  #timeline: Timeline | undefined;

  /** Records the start of a task. @param now `steadyNow()` */
  began(now: number): void {
    if (this.#start !== undefined) return;
    this.#start = now;
    this.#timeline = new Timeline(now);
  }

  /** Counts a failed attempt that is retried. */
  retried({ task, home }: Job, why: Failure | undefined, now: number): void {
    this.#timeline?.count('retries', now);
    this.#hosts.retried(home.key);
    if (why !== undefined) this.#causeOf(why, task.uuid).retries++;
  }

  /** Counts a task that ended. @param why the failure; undefined if it succeeded */
  ended({ task, home: lane, began }: Job, why: Failure | undefined, now: number): void {
    if (why === undefined) {
      const last = this.#last;
      if (now === last.now && began === last.began && lane === last.lane) last.times++;
      else {
        this.#countLast();
        this.#last = { now, began, lane, times: 1 };
      }
      return;
    }
    const ms = now - began;
    this.#latencies.record(ms);
    this.#timeline?.count('failed', now);
    this.#ofFailed.record(ms);
    const cause = this.#causeOf(why, task.uuid);
    // A task that finally failed is a better example than one that was retried.
    if (cause.failed++ === 0) cause.example = exampleOf(why, task.uuid);
    this.#hosts.ended(lane.key, ms, cause.code);
  }

  #countLast(): void {
    const { now, began, lane, times } = this.#last;
    if (lane === undefined) return;
    this.#latencies.record(now - began, times);
    this.#timeline?.count('succeeded', now, times);
    this.#hosts.ended(lane.key, now - began, undefined, times);
    this.#last = NONE;
  }

  #causeOf(why: Failure, uuid: string): Entry {
    const short = clipped(causeCode(why), LONGEST_CODE);
    const key = this.#causes.has(short) || this.#causes.size < CAUSES ? short : OTHER;
    let cause = this.#causes.get(key);
    if (cause === undefined) {
      cause = { code: detached(key), failed: 0, retries: 0, example: exampleOf(why, uuid) };
      this.#causes.set(cause.code, cause);
    }
    return cause;
  }

  /** Returns the measurements until `now`. */
  measured(now: number): Measured {
    this.#countLast();
    const start = this.#start ?? now;
    const ms = Math.max(0, now - start);
    const all = this.#latencies;
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((part) => all.quantile(part)) as [number, number, number];
    const failed = new Map(this.#ofFailed.bins(SHOWN_BITS).map(({ from, count }) => [from, count]));
    const bins = all.bins(SHOWN_BITS).map((bin) => ({ ...bin, failed: failed.get(bin.from) ?? 0 }));
    const causes = [...this.#causes.values()].sort((a, b) => b.failed - a.failed || b.retries - a.retries);
    return {
      started: new Date(start).toISOString(),
      ended: new Date(start + ms).toISOString(),
      ms,
      rate: all.count / Math.max(0.001, ms / 1000),
      latency: { mean: all.mean, p50, p95, p99, max: all.max, bins },
      throughput: (this.#timeline ?? new Timeline(start)).throughput,
      causes: causes.map((cause) => ({ ...cause })),
      ...this.#hosts.report,
    };
  }
}

function exampleOf({ message }: Failure, uuid: string): Cause['example'] {
  return { uuid: detached(uuid), message: detached(clipped(message, LONGEST_MESSAGE)) };
}
