import { Alarm } from './alarm.ts';
import { type Job, Lane } from './lane.ts';
import { Queue } from './queue.ts';
import { Pacer, type Rate } from './rate.ts';
import type { Task } from './task.ts';

export interface SchedulerOptions {
  /** How many run at once; how many of one lane is worked out from it. */
  readonly jobs: number;
  /** The lane of a task. Default: one for all. */
  readonly laneOf?: ((task: Task) => string) | undefined;
  /** How many of one lane run at once. Default: a fair share, see `#share`. */
  readonly perLane?: number | undefined;
  readonly rate?: Rate | undefined;
  /** The rate of each lane. */
  readonly laneRate?: Rate | undefined;
  /** How many tasks to read ahead at most, so that a slow lane does not keep others from being found. */
  readonly window: number;
  /** How many more count against the window: what is done but held back. */
  readonly held?: () => number;
  /** Called when there may be a job to take again, or when all is over: tasks came, or a time did. */
  readonly onReady: () => void;
}

/** How many characters to read ahead at most: there may be tasks of megabytes. */
const WINDOW_SIZE = 16 * 1024 * 1024;

/** A lane counts for the share of others while one of the last so many tasks was its own. */
const RECENT = 1000;

/** Lanes that are idle are forgotten beyond this number. */
const LANES = 10_000;

/**
 * Says which task may start next. It reads tasks ahead, sorts them into lanes, and gives one out whenever the number
 * of jobs, its lane and the rates allow it, lane by lane in turn. Whoever takes a job must tell of its end by
 * `finish` or `again`, and then take the next.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #pacer: Pacer | undefined;
  readonly #lanes = new Map<string, Lane>();
  /** The lanes of the last tasks that were read, the latest last. */
  readonly #recent = new Set<Lane>();
  #latest: Lane | undefined;
  /** Lanes that may have a job to start, in turn. */
  readonly #ready = new Queue<Lane>();
  /** Lanes that wait for a time. */
  readonly #timed = new Set<Lane>();
  /** Retries, the next one last. */
  #delayed: { job: Job; at: number }[] = [];
  #waiting = 0;
  /** The characters of what waits. */
  #size = 0;
  #running = 0;
  #read = 0;
  #isEnded = false;
  /** Whether anything ever has to wait for a time: where nothing does, no clock is read. */
  #isTimed: boolean;
  readonly #alarm: Alarm;
  #wakeReader: (() => void) | undefined;
  /** Is given the jobs that still come once no more are started. */
  #onLate: ((job: Job) => void) | undefined;

  /** Resolves when no more tasks come; rejects where reading them failed. What was read is done first. */
  readonly input: Promise<void>;

  constructor(batches: AsyncIterable<readonly Task[]>, options: SchedulerOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.onReady);
    this.#isTimed = options.rate !== undefined || options.laneRate !== undefined;
    this.#pacer = options.rate === undefined ? undefined : new Pacer(options.rate);
    this.input = this.#readAll(batches).finally(() => this.#end());
    this.input.catch(() => {}); // is thrown where it is awaited
  }

  /** Whether all tasks came to their end, and no more will come. */
  get isOver(): boolean {
    return this.#isEnded && this.#waiting + this.#running === 0;
  }

  /** Adds a task that was found by another one. @param first whether it goes before all that waits */
  insert(task: Task, first: boolean): void {
    this.#add(task, first);
  }

  /** A job came to its end. */
  finish(job: Job, succeeded: boolean): void {
    if (succeeded) job.lane.succeeded();
    this.#release(job.lane);
  }

  /** A job is to be tried again, after some milliseconds. */
  again(job: Job, delay: number): void {
    this.#isTimed = true;
    const at = performance.now() + delay;
    let place = this.#delayed.length;
    while (place > 0 && (this.#delayed[place - 1] as { at: number }).at < at) place--;
    this.#delayed.splice(place, 0, { job, at });
    job.lane.delayed++;
    this.#wait(job.task, 1);
    this.#release(job.lane);
  }

  /** The other side asked for a pause of the job's whole lane: see `Lane.pause`. */
  pause(job: Job, milliseconds: number): boolean {
    this.#isTimed = true;
    return job.lane.pause(performance.now(), milliseconds);
  }

  /** What was held back went out: there may be room to read. */
  release(): void {
    if (this.#hasRoom()) this.#wakeReader?.();
  }

  /**
   * Starts no more. Returns the jobs that wait, in the order of the input.
   * @param onLate is given those that still come, to the end of the input; without it, no more is read
   */
  stop(onLate?: (job: Job) => void): Job[] {
    this.#onLate ??= onLate;
    const left = this.#delayed.map(({ job }) => job);
    this.#delayed = [];
    for (const lane of this.#lanes.values()) {
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
        else this.#onLate?.(this.#jobOf(task, this.#laneOf(task)));
      }
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
    const waiting = this.#waiting + (held?.() ?? 0);
    return waiting < window && (this.#size < WINDOW_SIZE || waiting < jobs);
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
    return { task, lane, ordinal: this.#read++, attempts: 0, counted: 0, began: 0, place: -1 };
  }

  #laneOf(task: Task): Lane {
    const key = this.#options.laneOf?.(task) ?? '';
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new Lane(key, this.#options.laneRate);
      this.#lanes.set(key, lane);
      if (this.#lanes.size > LANES) this.#forgetIdle();
    }
    return lane;
  }

  #noteRecent(lane: Lane): void {
    if (lane !== this.#latest) {
      this.#recent.delete(lane);
      this.#recent.add(lane);
      this.#latest = lane;
    }
    if (this.#read % 64 > 0) return; // often enough, and it costs
    for (const oldest of this.#recent) {
      if (oldest.lastRead >= this.#read - RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  #wait(task: Task, change: 1 | -1): void {
    this.#waiting += change;
    this.#size += change * task.line.length;
  }

  #forgetIdle(): void {
    const now = performance.now();
    for (const lane of this.#lanes.values())
      if (lane.isIdle && lane.wait(now) <= 0) this.#lanes.delete(lane.key);
  }

  /** No more tasks come. */
  #end(): void {
    this.#isEnded = true;
    this.#wakeReader?.();
    for (const lane of this.#lanes.values()) if (lane.isIdle) this.#lanes.delete(lane.key);
    this.#readyAll();
    this.#options.onReady();
  }

  #readyAll(): void {
    for (const lane of this.#lanes.values())
      if (lane.length > 0 && !this.#timed.has(lane)) this.#makeReady(lane);
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
    else if (this.#isEnded && lane.isIdle) {
      const before = this.#share();
      this.#lanes.delete(lane.key);
      if (this.#share() !== before) this.#readyAll();
    }
  }

  /**
   * How many of one lane may run at once. With one lane: all. With more of them, at most half, and about twice what
   * would be its part: a lane whose other side hangs so leaves room for the rest.
   */
  #share(): number {
    const { jobs, perLane } = this.#options;
    if (perLane !== undefined) return perLane;
    const lanes = this.#isEnded ? this.#lanes.size : this.#recent.size;
    return lanes <= 1 ? jobs : Math.max(1, Math.ceil(Math.min(jobs / 2, (2 * jobs) / lanes)));
  }

  /** A job to start now; undefined where none may. */
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
      lane.isReady = false; // and back to the end, if it has more
      if (lane.length === 0 || lane.running >= Math.min(this.#share(), Math.floor(lane.limit))) continue;
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
    this.#wait(job.task, -1);
    if (this.#wakeReader !== undefined && this.#hasRoom()) this.#wakeReader();
    return job;
  }

  /** Takes up lanes and retries whose time has come. */
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
