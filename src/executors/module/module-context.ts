import type { Attempt, Child } from '../contract.ts';
import type { Fetch } from '../http/fetch.ts';
import { type AddOptions, childOf, type TaskId } from './added-tasks.ts';
import type { Logger, LoggerOf } from './logger.ts';

/** What a function of a module is told beside its task. */
export interface ModuleContext {
  /** Aborted where the work is to be given up: its time is over, or the stage leaves. */
  readonly signal: AbortSignal;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** Writes to the log of the task. */
  readonly logger: Logger;
  /** Fetches a url, by the rules of `--http`: see `Fetch`. */
  readonly fetch: Fetch;
  /**
   * Adds a task, which is done too once this one has succeeded. One whose uuid was seen is left out.
   * @param task its attributes; its uuid is its own, else what `taskId` returns, else that of all its names and values
   * @returns its uuid
   * @throws {TypeError} where it can be no task
   */
  add(task: Readonly<Record<string, unknown>>, options?: AddOptions): string;
  /** Says that a task is finished, whoever did it: it is not begun any more, nor added again. */
  done(uuid: string): void;
  /** Takes no more tasks: what runs is finished, and what waits goes on as PENDING. */
  stop(): void;
}

/** What contexts have in common. */
export interface Services {
  readonly loggerOf: LoggerOf;
  readonly fetch: (signal: AbortSignal) => Fetch;
  readonly taskId: TaskId | undefined;
}

/** The context of one attempt. What few functions ask for is made when it is asked for. */
export class Context implements ModuleContext {
  readonly attempt: number;
  readonly #uuid: string;
  readonly #stage: Attempt['stage'];
  readonly #leaving: AbortSignal;
  readonly #services: Services;
  #giveUp: AbortController | undefined;
  #logger: Logger | undefined;
  #children: Child[] | undefined;
  #isOver = false;

  constructor(uuid: string, attempt: Attempt, services: Services) {
    this.attempt = attempt.number;
    this.#uuid = uuid;
    this.#stage = attempt.stage;
    this.#leaving = attempt.signal;
    this.#services = services;
  }

  get signal(): AbortSignal {
    if (this.#giveUp === undefined) {
      this.#giveUp = new AbortController();
      if (this.#leaving.aborted || this.#isOver) this.#giveUp.abort();
      else this.#leaving.addEventListener('abort', this);
    }
    return this.#giveUp.signal;
  }

  get logger(): Logger {
    this.#logger ??= this.#services.loggerOf(this.#uuid);
    return this.#logger;
  }

  get fetch(): Fetch {
    return this.#services.fetch(this.signal);
  }

  /** The tasks that were added. */
  get children(): readonly Child[] | undefined {
    return this.#children;
  }

  // Functions, not methods: they work taken out of the context, as in `async (task, { add }) => …`.
  get add(): ModuleContext['add'] {
    return (task, options = {}) => {
      const child = childOf(task, this.#uuid, options, this.#services.taskId);
      this.#children ??= [];
      this.#children.push(child);
      return child.task.uuid;
    };
  }

  get done(): ModuleContext['done'] {
    return (uuid) => this.#stage.done(uuid);
  }

  get stop(): ModuleContext['stop'] {
    return () => this.#stage.stop();
  }

  /** The attempt is over. @param isGivenUp whether the function may still be at work */
  end(isGivenUp: boolean): void {
    this.#isOver = true;
    if (this.#giveUp === undefined) return;
    this.#leaving.removeEventListener('abort', this);
    if (isGivenUp) this.#giveUp.abort();
  }

  /** The stage leaves. */
  handleEvent(): void {
    this.#giveUp?.abort();
  }
}
