import { Fifo } from '../fifo.ts';
import type { Job, Lane } from './lane.ts';

/** Lanes that may have a job to start, in order of their turn, and lanes and jobs that wait for a point in time. */
export class LaneTurns {
  readonly #ready = new Fifo<Lane>();
  /** Lanes that wait for their pause or rate. */
  readonly #timed = new Set<Lane>();
  /** Jobs that wait for a retry, the next one last. */
  #delayed: { job: Job; at: number }[] = [];

  /** Adds a lane, unless it was added before. */
  add(lane: Lane): void {
    if (lane.isReady) return;
    lane.isReady = true;
    this.#ready.push(lane);
  }

  /** Adds the lanes that have jobs and wait for no time. */
  addAll(lanes: Iterable<Lane>): void {
    for (const lane of lanes) if (lane.length > 0 && !this.#timed.has(lane)) this.add(lane);
  }

  /** Removes the lane whose turn it is, and returns it. */
  next(): Lane | undefined {
    const lane = this.#ready.shift();
    if (lane !== undefined) lane.isReady = false;
    return lane;
  }

  /** Makes a lane wait for its pause or rate. */
  wait(lane: Lane): void {
    this.#timed.add(lane);
  }

  /** Makes a job wait for a retry. */
  delay(job: Job, at: number): void {
    let place = this.#delayed.length;
    while (place > 0 && (this.#delayed[place - 1] as { at: number }).at < at) place--;
    this.#delayed.splice(place, 0, { job, at });
  }

  /** Removes the jobs that wait for a retry, and returns them. */
  takeDelayed(): Job[] {
    const jobs = this.#delayed.map(({ job }) => job);
    this.#delayed = [];
    return jobs;
  }

  /** Adds the lanes that are due, and those of retries that are due. */
  wakeDue(now: number): void {
    for (const lane of this.#timed) {
      if (lane.wait(now) > 0) continue;
      this.#timed.delete(lane);
      this.add(lane);
    }
    for (let next = this.#delayed.at(-1); next !== undefined && next.at <= now; next = this.#delayed.at(-1)) {
      this.#delayed.pop();
      const { job } = next;
      job.lane.delayed--;
      job.lane.pushFirst(job);
      if (!this.#timed.has(job.lane)) this.add(job.lane);
    }
  }

  /** Returns the earliest time for which a lane or a job waits; infinity if none waits. */
  nextTime(now: number): number {
    let at = this.#delayed.at(-1)?.at ?? Number.POSITIVE_INFINITY;
    for (const lane of this.#timed) at = Math.min(at, now + lane.wait(now));
    return at;
  }
}
