import type { Task } from '../record/task.ts';
import type { Backoff } from './backoff.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { AdaptiveLimit } from './lanes/adaptive-limit.ts';
import { FairShare } from './lanes/fair-share.ts';
import { type Job, type Lane, newJob } from './lanes/lane.ts';
import { LaneTable } from './lanes/lane-table.ts';
import { LaneTurns } from './lanes/lane-turns.ts';
import { Pacer } from './rate.ts';
import { ReadAhead } from './read-ahead.ts';
import type { SchedulerOptions } from './scheduler-options.ts';

/**
 * Scheduler that decides which task may start next. It reads tasks ahead, sorts them into lanes, and releases one
 * whenever the number of jobs, its lane and the rates allow it; lanes take turns. The caller must report the end of
 * each job with `finish` or `again`, and then take the next.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #pacer: Pacer | undefined;
  readonly #lanes: LaneTable;
  readonly #turns = new LaneTurns();
  readonly #fairShare: FairShare;
  readonly #ahead: ReadAhead;
  #running = 0;
  #read = 0;
  #isEnded = false;
  /** True if something may have to wait for a time; otherwise the clock is never read. */
  #isTimed: boolean;
  readonly #alarm: DeadlineTimer;
  /** Latest batch of the input that was taken in. */
  latest: readonly Task[] | undefined;
  /** Called with tasks that arrive after `stop()`. */
  #onLate: ((job: Job) => void) | undefined;

  /**
   * Promise of the end of input; it rejects if reading failed. Tasks that were read still run then: see
   * `isOver`.
   */
  readonly input: Promise<void>;

  constructor(batches: AsyncIterable<readonly Task[]>, options: SchedulerOptions) {
    this.#options = options;
    this.#lanes = new LaneTable(options.hostRate);
    this.#fairShare = new FairShare(options);
    this.#ahead = new ReadAhead(options);
    this.#alarm = new DeadlineTimer(options.onReady);
    this.#isTimed =
      options.rate !== undefined || options.hostRate !== undefined || options.gate !== undefined;
    this.#pacer = options.rate === undefined ? undefined : new Pacer(options.rate);
    this.input = this.#readAll(batches).finally(() => this.#end());
    this.input.catch(() => {}); // the caller awaits it later
  }

  /** True if the input has ended and all jobs are finished. */
  get isOver(): boolean {
    return this.#isEnded && this.#ahead.count + this.#running === 0;
  }

  /** True if the input has ended and no task waits to be started. */
  get isDrained(): boolean {
    return this.#isEnded && this.#ahead.count === 0;
  }

  /** Reports the end of a job. */
  finish(job: Job, succeeded: boolean): void {
    const { lane, home } = job;
    if (succeeded) lane.succeeded();
    if (lane !== home) this.#comeHome(job);
    this.#release(lane);
    if (lane !== home) this.#retire(home);
  }

  /**
   * Makes a running job wait at the front of a lane, which may be its current one. The lane that it leaves may start
   * another job. No job holds a place in one lane while it waits for another, so there is no deadlock.
   */
  move(job: Job, key: string): void {
    const { lane, home } = job;
    const next = this.#lanes.passedBy(key);
    if (lane === home) home.away++;
    if (next === home) home.away--;
    job.lane = next;
    next.pushFirst(job);
    this.#turns.add(next);
    this.#ahead.add(job.task);
    this.#release(lane);
  }

  /** Counts a job as running again: it waited in a lane at the stop. */
  begin({ lane }: Job): void {
    this.#running++;
    lane.running++;
  }

  #comeHome(job: Job): void {
    job.home.away--;
    job.lane = job.home;
  }

  /** Schedules another attempt of a job. @param delay in milliseconds */
  again(job: Job, delay: number): void {
    this.#isTimed = true;
    this.#turns.delay(job, performance.now() + delay);
    const { lane, home } = job;
    home.delayed++;
    if (lane !== home) this.#comeHome(job);
    this.#ahead.add(job.task);
    this.#release(lane);
  }

  /** Starts no jobs of the lane of a job for a time: see `Lane.hold`. */
  hold(job: Job, milliseconds: number): void {
    this.#isTimed = true;
    job.lane.hold(performance.now(), milliseconds);
  }

  /** Pauses the whole lane of a job: see `Lane.pause`. */
  pause(job: Job, milliseconds: number): boolean {
    this.#isTimed = true;
    return job.lane.pause(performance.now(), milliseconds);
  }

  /** Returns the job of a task that will not be started. */
  late(task: Task): Job {
    return newJob(task, this.#laneOf(task), this.#read++);
  }

  /** Pauses the whole lane of a job that was refused without a time: see `Lane.refused`. */
  refuse(job: Job, backoff: Backoff): boolean {
    this.#isTimed = true;
    return job.lane.refused(performance.now(), backoff);
  }

  /** Resumes reading after tasks that were held back have left. */
  release(): void {
    this.#ahead.release();
  }

  /**
   * Stops starting jobs. Returns the waiting ones, in the order of the input.
   * @param onLate called with the jobs of tasks that still arrive, to the end of input; without it, reading
   *   stops
   */
  stop(onLate?: (job: Job) => void): Job[] {
    this.#onLate ??= onLate;
    const left = this.#turns.takeDelayed();
    for (const lane of this.#lanes) {
      for (let job = lane.shift(); job !== undefined; job = lane.shift()) left.push(job);
      lane.delayed = 0;
    }
    this.#ahead.clear();
    this.#alarm.clear();
    this.#end();
    return left.sort((a, b) => a.ordinal - b.ordinal);
  }

  async #readAll(batches: AsyncIterable<readonly Task[]>): Promise<void> {
    for await (const batch of batches) {
      for (const task of batch) {
        if (!this.#isEnded) this.insert(task);
        else this.#onLate?.(this.late(task));
      }
      this.latest = batch;
      this.#options.onReady();
      while (!this.#ahead.hasRoom && !this.#isEnded) await this.#ahead.room();
      if (this.#isEnded && this.#onLate === undefined) return;
    }
  }

  /**
   * Adds a task that was read, or that another task has added. @param first true to put it at the front of its lane
   */
  insert(task: Task, first = false): void {
    const lane = this.#laneOf(task);
    const job = newJob(task, lane, this.#read++);
    if (first) lane.pushFirst(job);
    else lane.push(job);
    lane.lastRead = job.ordinal;
    this.#turns.add(lane);
    this.#ahead.add(task);
    this.#fairShare.note(lane, this.#read);
  }

  #laneOf(task: Task): Lane {
    return this.#lanes.of(this.#options.laneOf?.(task) ?? '');
  }

  /** Handles the end of input. */
  #end(): void {
    this.#isEnded = true;
    this.#ahead.wake();
    for (const lane of [...this.#lanes]) if (lane.isIdle) this.#lanes.retire(lane);
    this.#turns.addAll(this.#lanes);
    this.#options.onReady();
  }

  #release(lane: Lane): void {
    this.#running--;
    lane.running--;
    if (lane.length > 0) this.#turns.add(lane);
    else this.#retire(lane);
  }

  /** Retires a lane that gets no more tasks, so that the others get a larger share. */
  #retire(lane: Lane): void {
    if (!this.#isEnded || !lane.isIdle) return;
    const before = this.#share();
    this.#lanes.retire(lane);
    if (this.#share() !== before) this.#turns.addAll(this.#lanes);
  }

  /** Returns the maximum number of running jobs of one lane. */
  #share(): number {
    return this.#fairShare.of(this.#isEnded ? this.#lanes.size : undefined);
  }

  /** Returns the next job to start; undefined if none may start now. */
  take(): Job | undefined {
    if (this.#ahead.count === 0 || this.#running >= this.#options.jobs) return undefined;
    const now = this.#isTimed ? performance.now() : 0;
    if (this.#isTimed) this.#turns.wakeDue(now);
    const wait = this.#pacer?.wait(now) ?? 0;
    if (wait > 0) {
      this.#alarm.set(now + wait);
      return undefined;
    }
    // #start puts a lane at the end again if it has more.
    for (let lane = this.#turns.next(); lane !== undefined; lane = this.#turns.next()) {
      if (lane.length === 0 || lane.running >= Math.min(this.#share(), lane.most)) continue;
      const laneWait = this.#isTimed ? this.#waitOf(lane, now) : 0;
      if (laneWait > 0) {
        this.#turns.wait(lane);
        continue;
      }
      return this.#start(lane, now);
    }
    const next = this.#turns.nextTime(now);
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next);
    return undefined;
  }

  /** Returns the time until the next job of a lane may start, in milliseconds. */
  #waitOf(lane: Lane, now: number): number {
    const wait = lane.wait(now);
    const { gate } = this.#options;
    if (wait > 0 || gate === undefined) return wait;
    const held = gate(lane.first as Job, now);
    if (held > 0) lane.heldUntil = now + held;
    return held;
  }

  #start(lane: Lane, now: number): Job {
    const job = lane.shift() as Job;
    if (lane.length > 0) this.#turns.add(lane);
    lane.running++;
    lane.pacer?.start(now);
    this.#pacer?.start(now);
    this.#running++;
    if (this.#options.isAdaptive) this.#measure(job, lane);
    this.#ahead.remove(job.task);
    this.#ahead.release();
    return job;
  }

  #measure(job: Job, lane: Lane): void {
    job.startedAt = performance.now();
    lane.adaptive ??= new AdaptiveLimit(this.#options.jobs);
  }

  /** Counts the end of an attempt for the concurrency of its lane. @param isFailure whether it may succeed later */
  measured({ lane, startedAt }: Job, isFailure: boolean): void {
    lane.adaptive?.ended(performance.now() - startedAt, lane.running, isFailure);
  }
}
