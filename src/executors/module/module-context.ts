import { inspect } from 'node:util';
import type { Task } from '../../core/record/task.ts';
import type { Attempt, Child } from '../contract.ts';
import type { Fetch } from '../http/fetch.ts';
import { type AddOptions, childOf, type TaskId } from './added-tasks.ts';
import type { Logger, LoggerOf } from './logger.ts';

/** Context of a module function, besides its task. */
export interface ModuleContext {
  /** Aborted when the work should stop: it timed out, it was cancelled, or the stage leaves. */
  readonly signal: AbortSignal;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Logger of the task. */
  readonly logger: Logger;
  /** Function that fetches a url by the rules of `--http`: see `Fetch`. */
  readonly fetch: Fetch;
  /**
   * Adds a task, which runs too once this one has succeeded. A task whose uuid was seen is skipped.
   * @param task attributes; its uuid is its own, else what `taskId` returns, else the default uuid of the record
   * @returns its uuid
   * @throws {TypeError} if it cannot be a task
   * @throws {Error} if the function has returned already: the task would be lost
   */
  add(task: Readonly<Record<string, unknown>>, options?: AddOptions): string;
  /**
   * Marks a task as finished elsewhere: it is not started, and not added again.
   * @throws {TypeError} if the uuid is not a string
   */
  done(uuid: string): void;
  /** Starts no more tasks: running ones finish, waiting ones are passed on as PENDING. */
  stop(): void;
}

/** Parts that all contexts share. */
export interface Services {
  readonly loggerOf: LoggerOf;
  readonly fetch: (signal: AbortSignal) => Fetch;
  readonly taskId: TaskId | undefined;
}

/** Context of one attempt. Rarely used parts are made on demand. */
export class Context implements ModuleContext {
  readonly attempt: number;
  /** Uuid of its task, or the name of its batch. */
  readonly uuid: string;
  /** Tasks of a call for several; undefined if it is for one. */
  readonly #batch: readonly Task[] | undefined;
  /** Their uuids, once tasks are added. */
  #uuids: ReadonlySet<string> | undefined;
  readonly #stage: Attempt['stage'];
  readonly #aborting: AbortSignal;
  readonly #cancelled: AbortSignal | undefined;
  readonly #services: Services;
  #giveUp: AbortController | undefined;
  #logger: Logger | undefined;
  /** Tasks that were added, by the uuids of the tasks that they belong to. */
  #children: Map<string, Child[]> | undefined;
  #isOver = false;

  constructor(uuid: string, attempt: Attempt, services: Services, batch?: readonly Task[]) {
    this.attempt = attempt.number;
    this.uuid = uuid;
    this.#batch = batch;
    this.#stage = attempt.stage;
    this.#aborting = attempt.signal;
    this.#cancelled = attempt.cancelled;
    this.#services = services;
  }

  get signal(): AbortSignal {
    if (this.#giveUp === undefined) {
      this.#giveUp = new AbortController();
      if (this.#aborting.aborted || this.#cancelled?.aborted || this.#isOver) this.#giveUp.abort();
      else {
        this.#aborting.addEventListener('abort', this);
        this.#cancelled?.addEventListener('abort', this);
      }
    }
    return this.#giveUp.signal;
  }

  get logger(): Logger {
    this.#logger ??= this.#services.loggerOf(this.uuid);
    return this.#logger;
  }

  get fetch(): Fetch {
    return this.#services.fetch(this.signal);
  }

  /** Returns the tasks that were added for a task. */
  childrenOf(uuid: string): readonly Child[] | undefined {
    return this.#children?.get(uuid);
  }

  // Functions, not methods, so that they work when taken out of the context: `async (task, { add }) => …`.
  get add(): ModuleContext['add'] {
    return (task, options = {}) => {
      if (this.#isOver) {
        const why = `ctx.add was called after the function had ended for ${this.uuid}: await everything that adds tasks`;
        throw new Error(why);
      }
      const parent = this.#parentOf(options);
      const child = childOf(task, parent, options, this.#services.taskId);
      this.#children ??= new Map();
      const children = this.#children.get(parent);
      if (children === undefined) this.#children.set(parent, [child]);
      else children.push(child);
      return child.task.uuid;
    };
  }

  #parentOf({ parent }: AddOptions): string {
    if (this.#batch === undefined) return this.uuid;
    this.#uuids ??= new Set(this.#batch.map(({ uuid }) => uuid));
    if (parent !== undefined && this.#uuids.has(parent)) return parent;
    throw new TypeError(
      parent === undefined
        ? 'ctx.add needs the task that adds this one, because the call is for a batch: ctx.add(task, { parent: uuid })'
        : `ctx.add was given a parent that is not a task of this call: ${inspect(parent)}`,
    );
  }

  get done(): ModuleContext['done'] {
    return (uuid) => {
      if (typeof uuid !== 'string')
        throw new TypeError(`ctx.done needs a uuid, a string; got ${inspect(uuid)}`);
      this.#stage.done(uuid);
    };
  }

  get stop(): ModuleContext['stop'] {
    return () => this.#stage.stop();
  }

  /** Ends the attempt. @param isGivenUp whether the function may still be running */
  end(isGivenUp: boolean): void {
    this.#isOver = true;
    if (this.#giveUp === undefined) return;
    this.#aborting.removeEventListener('abort', this);
    if (isGivenUp) this.#giveUp.abort();
  }

  /** Called when the stage leaves, or the task is cancelled. */
  handleEvent(): void {
    this.#giveUp?.abort();
  }
}
