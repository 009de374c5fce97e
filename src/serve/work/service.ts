import { EventEmitter } from 'node:events';
import { messageOf } from '../../core/base/errors.ts';
import { Task } from '../../core/record/task.ts';
import { failed, isFinal, type ServeState } from '../store/stored-record.ts';
import type { Store, Submitted } from '../store/task-store.ts';
import type { ServiceOptions, StateChange } from './stage.ts';

/** Delay before a stage that ended by itself is restarted, in milliseconds: the first one, and the maximum. */
const RESTART = { first: 500, most: 30_000 };
/** Interval of the checks for results from a `task-save` and for deadlines, in milliseconds. */
const TICK = 500;
/** Grace beyond the timeout, in milliseconds, so that a stage with the same timeout reports first. */
const SLACK = 2000;
const BATCH = 500;

/**
 * Service that feeds accepted tasks to a stage and stores their results. If the stage ends, it is restarted
 * and gets the unfinished tasks again.
 */
export class Service extends EventEmitter<{ change: [StateChange] }> {
  readonly store: Store;
  readonly options: ServiceOptions;
  readonly counts: Map<string, number> = new Map();
  /** Running tasks with their start time. */
  readonly running: Map<string, number> = new Map();
  /** Tasks in flight in the stage. */
  readonly #given = new Set<string>();
  /** Sequence number of the last task that the stage got. */
  #cursor = 0;
  /** Set by `poke`: the queue must be read again. */
  #hasNews = false;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #version = '';
  /** Number of the current start of the stage. */
  #generation = 0;
  /** Number of starts of the stage. */
  starts = 0;
  isStageUp = false;

  constructor(store: Store, options: ServiceOptions) {
    super();
    this.store = store;
    this.options = options;
    this.setMaxListeners(0);
  }

  async start(): Promise<void> {
    await this.store.prepareRun();
    if (this.options.isAdopting) await this.store.adopt();
    for (const [state, count] of await this.store.queries.counts()) this.counts.set(state, count);
    this.options.stopping.addEventListener('abort', () => this.poke());
    this.#loop = this.#run();
    this.#timer = setInterval(
      () => void this.#tick().catch((error) => this.options.warn(messageOf(error))),
      TICK,
    );
  }

  get #isStopping(): boolean {
    return this.options.stopping.aborted;
  }

  /** Number of unfinished tasks. */
  get pending(): number {
    return this.counts.get('PENDING') ?? 0;
  }

  async submit(tasks: readonly Task[]): Promise<readonly Submitted[]> {
    const submitted = await this.store.submit(tasks, this.options.rerunAfter);
    for (const { uuid, isNew, was } of submitted) if (isNew) this.#move(was, { uuid, state: 'PENDING' });
    this.poke();
    return submitted;
  }

  /** Returns the state of a task whose state in the store is `state`. */
  stateOf(uuid: string, state: string): ServeState {
    return state === 'PENDING' && this.running.has(uuid) ? 'RUNNING' : (state as ServeState);
  }

  /** Records that a task has started. */
  began(uuid: string): void {
    if (!this.#given.has(uuid) || this.running.has(uuid)) return;
    this.running.set(uuid, Date.now());
    this.emit('change', { uuid, state: 'RUNNING' });
  }

  async cancel(uuid: string): Promise<boolean> {
    if (this.running.has(uuid)) return false;
    const isDone = await this.store.cancel(uuid);
    if (isDone) this.#move('PENDING', { uuid, state: 'CANCELLED' });
    return isDone;
  }

  async rerun(uuid: string): Promise<boolean> {
    const was = await this.store.rerun(uuid);
    if (was === undefined) return false;
    this.#move(was, { uuid, state: 'PENDING' });
    this.poke();
    return true;
  }

  async remove(uuid: string): Promise<boolean> {
    const was = await this.store.remove(uuid);
    if (was === undefined) return false;
    this.#count(was, -1);
    return true;
  }

  poke(): void {
    this.#hasNews = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves when the stage has ended and its results are stored. Call it after `stopping` was aborted. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.poke();
    await this.#loop;
  }

  /** Runs the stage and restarts it when it ends. */
  async #run(): Promise<void> {
    let wait = RESTART.first;
    while (!this.#isStopping) {
      const began = Date.now();
      this.#generation = ++this.starts;
      this.isStageUp = true;
      try {
        for await (const tasks of this.options.stage(this.#tasks(this.starts))) await this.keep(tasks);
        if (!this.#isStopping && !this.options.isAdopting)
          this.options.warn('the stage that runs the tasks has ended; it is restarted');
      } catch (error) {
        if (!this.#isStopping) this.options.warn(messageOf(error));
      }
      this.isStageUp = false;
      this.#generation = -1; // the generator of the ended stage takes no more tasks
      this.poke();
      this.running.clear();
      this.#given.clear();
      this.#cursor = 0;
      if (this.#isStopping) return;
      wait = Date.now() - began > RESTART.most ? RESTART.first : Math.min(wait * 2, RESTART.most);
      await this.#sleep(wait);
    }
  }

  /** Stores the results of tasks. */
  async keep(tasks: readonly Task[]): Promise<void> {
    const finished = await this.store.finish(tasks);
    for (const { uuid } of tasks) {
      this.#given.delete(uuid);
      this.running.delete(uuid);
    }
    for (const end of finished) {
      this.#move('PENDING', { uuid: end.task.uuid, state: end.state });
      this.options.onDone?.(end);
    }
    this.poke();
  }

  /** Yields waiting tasks as the stage has room for them. */
  async *#tasks(generation: number): AsyncGenerator<readonly Task[]> {
    while (!this.#isStopping && generation === this.#generation) {
      this.#hasNews = false;
      const room = this.options.window - this.#given.size;
      const waiting = room <= 0 ? [] : await this.store.queries.waiting(this.#cursor, Math.min(room, BATCH));
      if (generation !== this.#generation) return;
      if (waiting.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          if (this.#isStopping || this.#hasNews) resolve();
        });
        continue;
      }
      this.#cursor = waiting.at(-1)?.seq ?? this.#cursor;
      const tasks = waiting.filter(({ uuid }) => !this.#given.has(uuid));
      if (!this.options.isAdopting) for (const { uuid } of tasks) this.#give(uuid);
      yield tasks.map(({ uuid, line }) => new Task(uuid, line));
    }
  }

  #give(uuid: string): void {
    this.#given.add(uuid);
    if (!this.options.isToldOfBegin) this.began(uuid);
  }

  async #tick(): Promise<void> {
    const limit = Date.now() - this.options.timeout - SLACK;
    const late = [...this.running].filter(([, since]) => since < limit).map(([uuid]) => uuid);
    if (late.length > 0) {
      const words = `the task did not end within ${this.options.timeout / 1000} s (--timeout)`;
      await this.keep(late.map((uuid) => failed(uuid, 'TIMEOUT', words)));
    }
    if (!this.options.isAdopting) return;
    const version = await this.store.queries.version();
    if (version === this.#version) return;
    this.#version = version;
    for (const change of await this.store.adopt()) this.#move('PENDING', change);
  }

  /** Updates the counts and notifies watchers. @param from the previous state; undefined if the task is new */
  #move(from: string | undefined, change: StateChange): void {
    if (from !== undefined) this.#count(from, -1);
    this.#count(change.state, 1);
    if (isFinal(change.state)) this.running.delete(change.uuid);
    this.emit('change', change);
  }

  #count(state: string, by: number): void {
    this.counts.set(state, Math.max(0, (this.counts.get(state) ?? 0) + by));
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        if (!this.#isStopping) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
