import { Histogram } from '../core/base/histogram.ts';
import { addTo, clipped, detached } from './failure-codes.ts';
import type { Host, HostCounts } from './report.ts';

/** Maximum number of hosts in a report. */
const SHOWN = 1000;

/** Number of hosts at which the half with the fewest tasks is merged. */
const KEPT = 2 * SHOWN;

/** Maximum number of codes per host. */
const CODES = 20;

/** Maximum length of a host name, in characters. */
const LONGEST = 300;

interface Entry {
  readonly host: string;
  readonly latencies: Histogram;
  readonly causes: Map<string, number>;
  failed: number;
  retries: number;
}

/**
 * Counts by host in bounded memory. Beyond 2,000 hosts, the half with the fewest tasks is merged; a merged host that
 * returns starts at zero, so counts of frequent hosts are exact or slightly low.
 */
export class Hosts {
  readonly #hosts = new Map<string, Entry>();
  #others: HostCounts | undefined;

  /** Counts tasks that ended. @param code the error code, if they failed @param times number of tasks */
  ended(key: string, ms: number, code: string | undefined, times = 1): void {
    if (key === '') return;
    const entry = this.#of(key);
    entry.latencies.record(ms, times);
    if (code === undefined) return;
    entry.failed++;
    addTo(entry.causes, code, CODES);
  }

  retried(key: string): void {
    if (key !== '') this.#of(key).retries++;
  }

  #of(key: string): Entry {
    let entry = this.#hosts.get(clipped(key, LONGEST));
    if (entry === undefined) {
      if (this.#hosts.size >= KEPT) this.#keep(SHOWN);
      const host = detached(clipped(key, LONGEST));
      entry = { host, latencies: new Histogram(3), causes: new Map(), failed: 0, retries: 0 };
      this.#hosts.set(host, entry);
    }
    return entry;
  }

  /** Keeps the `count` hosts with the most tasks and merges the others. */
  #keep(count: number): void {
    const least = [...this.#hosts.values()].sort(byTasks).slice(count);
    for (const entry of least) {
      const { tasks, failed, retries } = this.#others ?? { tasks: 0, failed: 0, retries: 0 };
      this.#others = {
        tasks: tasks + entry.latencies.count,
        failed: failed + entry.failed,
        retries: retries + entry.retries,
      };
      this.#hosts.delete(entry.host);
    }
  }

  get report(): { hosts: Host[]; otherHosts?: HostCounts } {
    this.#keep(SHOWN);
    const hosts = [...this.#hosts.values()].sort(byTasks).map(hostOf);
    return this.#others === undefined ? { hosts } : { hosts, otherHosts: this.#others };
  }
}

function byTasks(a: Entry, b: Entry): number {
  return b.latencies.count - a.latencies.count;
}

function hostOf({ host, latencies, causes, failed, retries }: Entry): Host {
  return {
    ...{ host, tasks: latencies.count, failed, retries },
    mean: latencies.mean,
    p50: latencies.quantile(0.5),
    p95: latencies.quantile(0.95),
    max: latencies.max,
    causes: Object.fromEntries(causes),
  };
}
