import { EventEmitter } from 'node:events';
import { messageOf } from '../../core/base/errors.ts';
import { type Task, timestamp } from '../../core/record/task.ts';
import type { Finished, Submitted } from '../store/contract.ts';
import { LostStore } from '../store/store-file.ts';
import { isFinal, type ServeState } from '../store/stored-record.ts';
import type { Store } from '../store/task-store.ts';
import { Feeder } from './feeder.ts';
import type { RunningTasks } from './running-tasks.ts';
import type { ServiceOptions } from './stage.ts';
import { appendToLog, deleteLog } from './task-log.ts';

/** Interval of the checks for results from a `task-save`, for old tasks and for the size of the log, in milliseconds. */
const TICK = 500;
/** Maximum number of old tasks that are deleted in a tick. */
const PRUNED = 500;
/** Size of the write-ahead log at which it is emptied, in bytes: SQLite itself does so at about 40 MB. */
const LOG_LIMIT = 96 * 1024 * 1024;
/** Interval of the attempts to empty it, in milliseconds. */
const SHRINK = 5000;

/** A change of state, as watchers get it. */
export interface StateChange {
  readonly uuid: string;
  readonly state: ServeState;
}

interface ServiceEvents {
  change: [StateChange];
  /** A task has ended, with its result. */
  end: [Finished];
}

/** Service that accepts tasks, runs them by a stage, and keeps their results. */
export class Service extends EventEmitter<ServiceEvents> {
  readonly store: Store;
  readonly options: ServiceOptions;
  readonly counts: Map<string, number> = new Map();
  readonly #feeder: Feeder;
  #timer: NodeJS.Timeout | undefined;
  #isTicking = false;
  #version = '';
  #shrunk = 0;
  #isLost = false;
  /** Size of the log from which the next message is written, in bytes. */
  #saidSize = LOG_LIMIT;

  constructor(store: Store, options: ServiceOptions) {
    super();
    this.store = store;
    this.options = options;
    this.setMaxListeners(0);
    this.#feeder = new Feeder(store, options, {
      keep: (tasks) => this.#keep(tasks),
      began: (uuid) => void this.emit('change', { uuid, state: 'RUNNING' }),
      threw: (uuid, stack) => this.#threw(uuid, stack),
    });
  }

  async start(): Promise<void> {
    await this.store.prepareRun();
    if (this.options.isAdopting) await this.store.adopt();
    await this.#countAll();
    this.#feeder.start();
    this.#timer = setInterval(() => void this.#tick(), TICK);
  }

  get isStageUp(): boolean {
    return this.#feeder.isStageUp;
  }

  /** Reason of the last end of the stage. */
  get trouble(): string {
    return this.#feeder.trouble;
  }

  get running(): RunningTasks {
    return this.#feeder.running;
  }

  /** Number of unfinished tasks. */
  get pending(): number {
    return this.counts.get('PENDING') ?? 0;
  }

  async submit(tasks: readonly Task[]): Promise<readonly Submitted[]> {
    const submitted = await this.store.submit(tasks, this.options.rerun);
    for (const { uuid, isNew, was } of submitted) if (isNew) this.#move(was, { uuid, state: 'PENDING' });
    this.#feeder.poke();
    return submitted;
  }

  /**
   * Returns the state of a task.
   * @param state its state in the store, read after `isRunning`: a task that ends meanwhile is not PENDING again
   */
  stateOf(uuid: string, state: string, isRunning: boolean = this.running.has(uuid)): ServeState {
    return state === 'PENDING' && isRunning ? 'RUNNING' : (state as ServeState);
  }

  /** Cancels a task. If it runs, the stage gives it up. Returns false if it has ended. */
  async cancel(uuid: string): Promise<boolean> {
    const isDone = await this.store.cancel(uuid, this.running.get(uuid)?.at ?? null);
    if (!isDone) return false;
    this.#feeder.abandon(uuid);
    this.#move('PENDING', { uuid, state: 'CANCELLED' });
    return true;
  }

  async rerun(uuid: string): Promise<boolean> {
    const was = await this.store.rerun(uuid);
    if (was === undefined) return false;
    this.#move(was, { uuid, state: 'PENDING' });
    this.#feeder.poke();
    return true;
  }

  async remove(uuid: string): Promise<boolean> {
    const was = await this.store.remove(uuid);
    if (was === undefined) return false;
    this.#count(was, -1);
    await this.#forgetLog(uuid);
    return true;
  }

  /** Resolves when the stage has ended and its results are stored. Call it after `stopping` was aborted. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#feeder.stop();
  }

  async #keep(tasks: readonly Task[]): Promise<void> {
    for (const end of await this.store.finish(tasks)) {
      this.#move('PENDING', { uuid: end.task.uuid, state: end.state });
      this.emit('end', end);
    }
  }

  #threw(uuid: string, stack: string): void {
    const { logDir, warn } = this.options;
    this.store.explain(uuid, stack).catch((error) => warn(messageOf(error)));
    if (logDir !== undefined)
      appendToLog(logDir, uuid, 'ERROR', stack).catch((error) => warn(messageOf(error)));
  }

  async #tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      this.#feeder.checkStuck();
      await this.#check();
      if (this.options.isAdopting) await this.#adopt();
      if (this.options.keep !== undefined) await this.#prune(this.options.keep);
      await this.#shrinkLog();
    } catch (error) {
      if (!(error instanceof LostStore)) this.options.warn(messageOf(error));
    } finally {
      this.#isTicking = false;
    }
  }

  /** Checks the files of the store. When they are back, tasks that were refused meanwhile are not counted. */
  async #check(): Promise<void> {
    const wasLost = this.#isLost;
    this.#isLost = true;
    this.store.check();
    this.#isLost = false;
    if (wasLost) await this.#countAll();
  }

  async #countAll(): Promise<void> {
    const counts = await this.store.queries.counts();
    this.counts.clear();
    for (const [state, count] of counts) this.counts.set(state, count);
  }

  async #adopt(): Promise<void> {
    const version = await this.store.queries.version();
    if (version === this.#version) return;
    this.#version = version;
    for (const change of await this.store.adopt()) this.#move('PENDING', change);
  }

  async #prune(keep: number): Promise<void> {
    const pruned = await this.store.prune(timestamp(Date.now() - keep), PRUNED);
    for (const { uuid, state } of pruned) {
      this.#count(state, -1);
      await this.#forgetLog(uuid);
    }
  }

  async #forgetLog(uuid: string): Promise<void> {
    const { logDir, warn } = this.options;
    if (logDir !== undefined) await deleteLog(logDir, uuid).catch((error) => warn(messageOf(error)));
  }

  /** Empties the log of the store if it has grown: a long read by another process keeps SQLite from doing so. */
  async #shrinkLog(): Promise<void> {
    const now = performance.now();
    if (now - this.#shrunk < SHRINK || this.store.logSize() < LOG_LIMIT) return;
    this.#shrunk = now;
    if (await this.store.shrinkLog()) {
      this.#saidSize = LOG_LIMIT;
      return;
    }
    const bytes = this.store.logSize();
    if (bytes < this.#saidSize) return;
    this.#saidSize = bytes * 2;
    const size = Math.round(bytes / 1024 / 1024);
    this.options.warn(
      `${this.store.path}-wal has grown to ${size} MB: another process has had the database open for reading for long; end it`,
    );
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
}
