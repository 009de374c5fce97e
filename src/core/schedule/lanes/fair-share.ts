import type { SchedulerOptions } from '../scheduler-options.ts';
import type { Lane } from './lane.ts';

/** Number of latest tasks. A lane counts for the fair share if one of them belongs to it. */
const RECENT = 1000;

/** Share of the running jobs that a single lane may have. */
export class FairShare {
  readonly #options: SchedulerOptions;
  /** Lanes of the latest tasks, the latest last. */
  readonly #recent = new Set<Lane>();
  #latest: Lane | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** Notes the lane of the latest task. @param read number of tasks so far */
  note(lane: Lane, read: number): void {
    if (lane !== this.#latest) {
      this.#recent.delete(lane);
      this.#recent.add(lane);
      this.#latest = lane;
    }
    if (read % 64 > 0) return; // the scan below is too slow to run for each task
    for (const oldest of this.#recent) {
      if (oldest.lastRead >= read - RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  /**
   * Returns the maximum number of running jobs of one lane. A single lane may use all. With several lanes,
   * one may use at most half, and about twice an equal share: a lane whose server hangs leaves room for the
   * others.
   * @param left number of lanes that have tasks left; undefined before the end of input, when the recent ones count
   */
  of(left: number | undefined): number {
    const { jobs, perHost } = this.#options;
    if (perHost !== undefined) return perHost;
    const lanes = left ?? this.#recent.size;
    return lanes <= 1 ? jobs : Math.max(1, Math.ceil(Math.min(jobs / 2, (2 * jobs) / lanes)));
  }
}
