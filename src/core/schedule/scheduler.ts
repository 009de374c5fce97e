import type { Task } from '../record/task.ts';
import { AdaptiveLimit } from './adaptive-limit.ts';
import type { Backoff } from './backoff.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { Fifo } from './fifo.ts';
import type { Job, Lane } from './lane.ts';
import { LaneTable } from './lane-table.ts';
import { Pacer, type Rate } from './rate.ts';

/** Finished tasks that are held back. */
export interface Held {
  readonly count: number;
  /** In characters. */
  readonly size: number;
}

export interface SchedulerOptions {
  /** Maximum number of running jobs. */
  readonly jobs: number;
  /** Returns the lane of a task. Default: one lane for all. */
  readonly laneOf?: ((task: Task) => string) | undefined;
  /** Maximum number of running jobs of one lane, which is a host for HTTP. Default: a fair share, see `#share`. */
  readonly perHost?: number | undefined;
  readonly rate?: Rate | undefined;
  /** Rate of each lane, which is a host for HTTP. */
  readonly hostRate?: Rate | undefined;
  /** True if the concurrency of each lane is learned from its latency. */
  readonly isAdaptive?: boolean | undefined;
  /** Maximum number of tasks to read ahead, so that a slow lane does not hide the tasks of others. */
  readonly window: number;
  /** Tasks that are finished and still held back for `--keep-order`; they count against the window. */
  readonly held?: Held | undefined;
  /** Called when there may be a job to take again, and when all jobs are finished. */
  readonly onReady: () => void;
}

/** Maximum number of characters to read ahead: tasks may have megabytes. */
const WINDOW_SIZE = 16 * 1024 * 1024;

const NONE_HELD: Held = { count: 0, size: 0 };

/** Number of latest tasks. A lane counts for the fair share if one of them is its own. */
const RECENT = 1000;

/**
 * Decides which task may start next. It reads tasks ahead, sorts them into lanes, and releases one whenever the number
 * of jobs, its lane and the rates allow it; lanes take turns. The caller must report the end of each job with `finish`
 * or `again`, and then take the next.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #pacer: Pacer | undefined;
  readonly #lanes: LaneTable;
  /** Lanes of the latest tasks, the latest last. */
  readonly #recent = new Set<Lane>();
  #latest: Lane | undefined;
  /** Lanes that may have a job to start, in order of their turn. */
  readonly #ready = new Fifo<Lane>();
  /** Lanes that wait for their pause or rate. */
  readonly #timed = new Set<Lane>();
  /** Jobs that wait for a retry, the next one last. */
  #delayed: { job: Job; at: number }[] = [];
  #waiting = 0;
  /** Number of characters of the waiting tasks. */
  #size = 0;
  #running = 0;
  #read = 0;
  #isEnded = false;
  /** True if something may have to wait for a time; otherwise the clock is never read. */
  #isTimed: boolean;
  readonly #alarm: DeadlineTimer;
  #wakeReader: (() => void) | undefined;
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
    this.#alarm = new DeadlineTimer(options.onReady);
    this.#isTimed = options.rate !== undefined || options.hostRate !== undefined;
    this.#pacer = options.rate === undefined ? undefined : new Pacer(options.rate);
    this.input = this.#readAll(batches).finally(() => this.#end());
    this.input.catch(() => {}); // the caller awaits it later
  }

  /** True if the input has ended and all jobs are finished. */
  get isOver(): boolean {
    return this.#isEnded && this.#waiting + this.#running === 0;
  }

  /** True if the input has ended and no task waits to be started. */
  get isDrained(): boolean {
    return this.#isEnded && this.#waiting === 0;
  }

  /** Adds a task that another one has found. @param first true to put it at the front of its lane */
  insert(task: Task, first: boolean): void {
    this.#add(task, first);
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
   * Has a running job wait in a lane, before all others of it; it may be the lane that it is in. The lane that it leaves
   * may start another one: no job holds a place of one lane while it waits for another, so there is no deadlock.
   */
  move(job: Job, key: string): void {
    const { lane, home } = job;
    const next = this.#lanes.passedBy(key);
    if (lane === home) home.away++;
    if (next === home) home.away--;
    job.lane = next;
    next.pushFirst(job);
    this.#makeReady(next);
    this.#wait(job.task, 1);
    this.#release(lane);
  }

  /** Counts a job as running that waited in a lane when everything was stopped. */
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
    const at = performance.now() + delay;
    let place = this.#delayed.length;
    while (place > 0 && (this.#delayed[place - 1] as { at: number }).at < at) place--;
    this.#delayed.splice(place, 0, { job, at });
    const { lane, home } = job;
    home.delayed++;
    if (lane !== home) this.#comeHome(job);
    this.#wait(job.task, 1);
    this.#release(lane);
  }

  /** Starts nothing of the lane of a job for a time: see `Lane.hold`. */
  hold(job: Job, milliseconds: number): void {
    this.#isTimed = true;
    job.lane.hold(performance.now(), milliseconds);
  }

  /** Pauses the whole lane of a job: see `Lane.pause`. */
  pause(job: Job, milliseconds: number): boolean {
    this.#isTimed = true;
    return job.lane.pause(performance.now(), milliseconds);
  }

  /** Returns the job of a task that is not to be started. */
  late(task: Task): Job {
    return this.#jobOf(task, this.#laneOf(task));
  }

  /** Pauses the whole lane of a job that was refused without a time: see `Lane.refused`. */
  refuse(job: Job, backoff: Backoff): boolean {
    this.#isTimed = true;
    return job.lane.refused(performance.now(), backoff);
  }

  /** Resumes reading after tasks that were held back have left. */
  release(): void {
    if (this.#hasRoom()) this.#wakeReader?.();
  }

  /**
   * Stops starting jobs. Returns the waiting ones, in the order of the input.
   * @param onLate called with the jobs of tasks that still arrive, to the end of input; without it, reading
   *   stops
   */
  stop(onLate?: (job: Job) => void): Job[] {
    this.#onLate ??= onLate;
    const left = this.#delayed.map(({ job }) => job);
    this.#delayed = [];
    for (const lane of this.#lanes) {
      for (let job = lane.shift(); job !== undefined; job = lane.shift()) left.push(job);
      lane.delayed = 0;
    }
    this.#waiting = 0;
    this.#size = 0;
    this.#alarm.clear();
    this.#end();
    return left.sort((a, b) => a.ordinal - b.ordinal);
  }

  async #readAll(batches: AsyncIterable<readonly Task[]>): Promise<void> {
    for await (const batch of batches) {
      for (const task of batch) {
        if (!this.#isEnded) this.#add(task);
        else this.#onLate?.(this.late(task));
      }
      this.latest = batch;
      this.#options.onReady();
      while (!this.#hasRoom() && !this.#isEnded) {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
      if (this.#isEnded && this.#onLate === undefined) return;
    }
  }

  #hasRoom(): boolean {
    const { window, jobs, held } = this.#options;
    const { count, size } = held ?? NONE_HELD;
    const waiting = this.#waiting + count;
    return waiting < window && (this.#size + size < WINDOW_SIZE || waiting < jobs);
  }

  #add(task: Task, first = false): void {
    const lane = this.#laneOf(task);
    const job = this.#jobOf(task, lane);
    if (first) lane.pushFirst(job);
    else lane.push(job);
    lane.lastRead = job.ordinal;
    this.#makeReady(lane);
    this.#wait(task, 1);
    this.#noteRecent(lane);
  }

  #jobOf(task: Task, lane: Lane): Job {
    return {
      task,
      home: lane,
      lane,
      goOn: undefined,
      ordinal: this.#read++,
      attempts: 0,
      countedAttempts: 0,
      began: 0,
      startedAt: 0,
      place: -1,
    };
  }

  #laneOf(task: Task): Lane {
    return this.#lanes.of(this.#options.laneOf?.(task) ?? '');
  }

  #noteRecent(lane: Lane): void {
    if (lane !== this.#latest) {
      this.#recent.delete(lane);
      this.#recent.add(lane);
      this.#latest = lane;
    }
    if (this.#read % 64 > 0) return; // the scan below is too slow to run for each task
    for (const oldest of this.#recent) {
      if (oldest.lastRead >= this.#read - RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  #wait(task: Task, change: 1 | -1): void {
    this.#waiting += change;
    this.#size += change * task.line.length;
  }

  /** Handles the end of input. */
  #end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
    for (const lane of [...this.#lanes]) if (lane.isIdle) this.#lanes.retire(lane);
    this.#readyAll();
    this.#options.onReady();
  }

  #readyAll(): void {
    for (const lane of this.#lanes) if (lane.length > 0 && !this.#timed.has(lane)) this.#makeReady(lane);
  }

  #makeReady(lane: Lane): void {
    if (lane.isReady) return;
    lane.isReady = true;
    this.#ready.push(lane);
  }

  #release(lane: Lane): void {
    this.#running--;
    lane.running--;
    if (lane.length > 0) this.#makeReady(lane);
    else this.#retire(lane);
  }

  /** Retires a lane that no more tasks come to, so that the others get a larger share. */
  #retire(lane: Lane): void {
    if (!this.#isEnded || !lane.isIdle) return;
    const before = this.#share();
    this.#lanes.retire(lane);
    if (this.#share() !== before) this.#readyAll();
  }

  /**
   * Returns the maximum number of running jobs of one lane. A single lane may use all. With several lanes,
   * one may use at most half, and about twice an equal share: a lane whose server hangs leaves room for the
   * others.
   */
  #share(): number {
    const { jobs, perHost } = this.#options;
    if (perHost !== undefined) return perHost;
    const lanes = this.#isEnded ? this.#lanes.size : this.#recent.size;
    return lanes <= 1 ? jobs : Math.max(1, Math.ceil(Math.min(jobs / 2, (2 * jobs) / lanes)));
  }

  /** Returns the next job to start; undefined if none may start now. */
  take(): Job | undefined {
    if (this.#waiting === 0 || this.#running >= this.#options.jobs) return undefined;
    const now = this.#isTimed ? performance.now() : 0;
    if (this.#isTimed) this.#wakeDue(now);
    const wait = this.#pacer?.wait(now) ?? 0;
    if (wait > 0) {
      this.#alarm.set(now + wait);
      return undefined;
    }
    for (let lane = this.#ready.shift(); lane !== undefined; lane = this.#ready.shift()) {
      lane.isReady = false; // #start puts it at the end again if it has more
      if (lane.length === 0 || lane.running >= Math.min(this.#share(), lane.most)) continue;
      const laneWait = this.#isTimed ? lane.wait(now) : 0;
      if (laneWait > 0) {
        this.#timed.add(lane);
        continue;
      }
      return this.#start(lane, now);
    }
    this.#wakeNext(now);
    return undefined;
  }

  #start(lane: Lane, now: number): Job {
    const job = lane.shift() as Job;
    if (lane.length > 0) this.#makeReady(lane);
    lane.running++;
    lane.pacer?.start(now);
    this.#pacer?.start(now);
    this.#running++;
    if (this.#options.isAdaptive) this.#measure(job, lane);
    this.#wait(job.task, -1);
    if (this.#wakeReader !== undefined && this.#hasRoom()) this.#wakeReader();
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

  /** Makes lanes and retries ready whose time has come. */
  #wakeDue(now: number): void {
    for (const lane of this.#timed) {
      if (lane.wait(now) > 0) continue;
      this.#timed.delete(lane);
      this.#makeReady(lane);
    }
    for (let next = this.#delayed.at(-1); next !== undefined && next.at <= now; next = this.#delayed.at(-1)) {
      this.#delayed.pop();
      const { job } = next;
      job.lane.delayed--;
      job.lane.pushFirst(job);
      if (!this.#timed.has(job.lane)) this.#makeReady(job.lane);
    }
  }

  #wakeNext(now: number): void {
    let at = this.#delayed.at(-1)?.at ?? Number.POSITIVE_INFINITY;
    for (const lane of this.#timed) at = Math.min(at, now + lane.wait(now));
    if (at < Number.POSITIVE_INFINITY) this.#alarm.set(at);
  }
}
