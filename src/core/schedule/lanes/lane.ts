import type { Task } from '../../record/task.ts';
import type { Backoff } from '../backoff.ts';
import { Fifo } from '../fifo.ts';
import type { Rate } from '../rate.ts';
import { Pacer } from '../rate.ts';
import type { AdaptiveLimit } from './adaptive-limit.ts';

/** Refusals in a row after which a server counts as broken: half a minute of pauses by default. */
const MOST_REFUSALS = 6;

/** A task on its way through a scheduler. */
export interface Job {
  readonly task: Task;
  /** Lane of the task. */
  readonly home: Lane;
  /** Lane that the job counts in: that of its task, until it moves to another one. */
  lane: Lane;
  /** Continues the attempt, if it waits in a lane that it has moved to. */
  goOn: (() => void) | undefined;
  /** Position in the input, from 0. */
  readonly ordinal: number;
  /** Number of started attempts. */
  attempts: number;
  /** Number of attempts that count against `--retries`. */
  countedAttempts: number;
  /** Start of the first attempt, by the steady clock. */
  began: number;
  /** Start of the latest attempt, by the clock of `performance`; 0 if it is not measured. */
  startedAt: number;
  /** Index among the running jobs. */
  place: number;
}

/** Makes the job of a task. @param ordinal position in the input, from 0 */
export function newJob(task: Task, lane: Lane, ordinal: number): Job {
  return {
    task,
    home: lane,
    lane,
    goOn: undefined,
    ordinal,
    attempts: 0,
    countedAttempts: 0,
    began: 0,
    startedAt: 0,
    place: -1,
  };
}

/** The tasks that share a limit, for example those of one HTTP origin. The queue holds those that wait to start. */
export class Lane extends Fifo<Job> {
  readonly key: string;
  readonly pacer: Pacer | undefined;
  running = 0;
  /** True if the lane is in the scheduler's queue of ready lanes. */
  isReady = false;
  /** Ordinal of the latest task. */
  lastRead = 0;
  /** Number of jobs that wait for a retry. */
  delayed = 0;
  /** Number of jobs of tasks of this lane that have moved to another one. */
  away = 0;
  /** Time before which no job starts. */
  pausedUntil = 0;
  /** Time before which no job starts, because a limit of this run is used up; 0 if a part of it was refunded. */
  heldUntil = 0;
  /** Exponent of the next pause for which the server names no time. */
  refusals = 0;
  /** Concurrency that the server can bear, learned from its requests to slow down. */
  limit: number = Number.POSITIVE_INFINITY;

  /** Concurrency that is learned from latency; undefined without `--adaptive`. */
  adaptive: AdaptiveLimit | undefined;

  constructor(key: string, rate: Rate | undefined) {
    super();
    this.key = key;
    this.pacer = rate === undefined ? undefined : new Pacer(rate);
  }

  /** Number of jobs that may run at once. */
  get most(): number {
    const most = Math.floor(this.limit);
    return this.adaptive === undefined ? most : Math.min(most, this.adaptive.limit);
  }

  get isIdle(): boolean {
    return this.length + this.running + this.delayed + this.away === 0;
  }

  /** Returns the time from `now` to the next start, in milliseconds; 0 or less if it need not wait. */
  wait(now: number): number {
    return Math.max(this.pausedUntil - now, this.heldUntil - now, this.pacer?.wait(now) ?? 0);
  }

  /**
   * Starts no job for a time, because a limit of the server is used up. The server refused no request, so no limit is
   * lowered.
   */
  hold(now: number, milliseconds: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, now + milliseconds);
  }

  /**
   * Pauses the lane because the server asked for it. Afterwards half as many jobs run at once, and one more
   * for each round of successes: additive increase, multiplicative decrease, as in TCP. Further requests for
   * a pause from the same burst do not lower the limit again.
   * @returns false if the lane was paused already
   */
  pause(now: number, milliseconds: number): boolean {
    const isNews = now >= this.pausedUntil;
    if (isNews) this.limit = Math.max(1, Math.ceil(Math.min(this.limit, this.running + 1) / 2));
    this.pausedUntil = Math.max(this.pausedUntil, now + milliseconds);
    return isNews;
  }

  /**
   * Pauses the lane because the server refused a request without a time. The pause doubles with each refusal and halves
   * with each success. After many refusals without a success, the server is not busy but broken, and nothing pauses.
   * @returns false if the lane was paused already
   */
  refused(now: number, { min, max }: Backoff): boolean {
    if (now < this.pausedUntil) return false;
    if (this.refusals >= MOST_REFUSALS) return true;
    return this.pause(now, Math.min(max, min * 2 ** this.refusals++));
  }

  succeeded(): void {
    if (this.refusals > 0) this.refusals--;
    if (this.limit < Number.POSITIVE_INFINITY) this.limit += 1 / this.limit;
  }
}
