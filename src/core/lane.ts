import { Queue } from './queue.ts';
import type { Rate } from './rate.ts';
import { Pacer } from './rate.ts';
import type { Task } from './task.ts';

/** A task on its way through a scheduler. */
export interface Job {
  readonly task: Task;
  readonly lane: Lane;
  /** Its place in the input, from 0. */
  readonly ordinal: number;
  /** Attempts that were begun. */
  attempts: number;
  /** Those that count against `--retries`. */
  counted: number;
  /** When the first one began: `Date.now()`. */
  began: number;
  /** Among those that are under way. */
  place: number;
}

/** The tasks that share a limit: those of one HTTP origin, or all. In its queue are those that wait to be started. */
export class Lane extends Queue<Job> {
  readonly key: string;
  readonly pacer: Pacer | undefined;
  running = 0;
  /** Whether it has its turn in the scheduler. */
  isReady = false;
  /** The ordinal of its latest task. */
  lastRead = 0;
  /** Jobs that wait for a retry. */
  delayed = 0;
  /** Nothing starts before this time. */
  pausedUntil = 0;
  /** How many may run at once by what the other side can bear; found out by being told to slow down. */
  limit: number = Number.POSITIVE_INFINITY;

  constructor(key: string, rate: Rate | undefined) {
    super();
    this.key = key;
    this.pacer = rate === undefined ? undefined : new Pacer(rate);
  }

  get isIdle(): boolean {
    return this.length + this.running + this.delayed === 0;
  }

  /** How long the next start has to wait, from `now`, in milliseconds. */
  wait(now: number): number {
    return Math.max(this.pausedUntil - now, this.pacer?.wait(now) ?? 0);
  }

  /**
   * The other side asked to be left alone for a while. Afterwards half as many run at once, and one more for each
   * round of successes: additive increase, multiplicative decrease, as TCP does. What else comes of the same burst
   * changes nothing.
   * @returns whether this is news
   */
  pause(now: number, milliseconds: number): boolean {
    const isNews = now >= this.pausedUntil;
    if (isNews) this.limit = Math.max(1, Math.ceil(Math.min(this.limit, this.running + 1) / 2));
    this.pausedUntil = Math.max(this.pausedUntil, now + milliseconds);
    return isNews;
  }

  succeeded(): void {
    if (this.limit < Number.POSITIVE_INFINITY) this.limit += 1 / this.limit;
  }
}
