import { TaskpipeError } from '../../core/base/errors.ts';
import type { Notify } from '../../core/record/event.ts';
import type { Task } from '../../core/record/task.ts';
import type { RerunRules } from '../store/contract.ts';

/** Error for a program that ended without being asked to. */
export class StageDeath extends TaskpipeError {
  /** Exit code; null if a signal ended it. */
  readonly exit: number | null;
  /** True if it was ready for tasks, false if it got none; undefined if that is not known. */
  readonly wasReady: boolean | undefined;

  constructor(message: string, exit: number | null, wasReady: boolean | undefined) {
    super('IO', message);
    this.exit = exit;
    this.wasReady = wasReady;
  }
}

/** Functions of a stage that the service calls. */
export interface ServedStage {
  /** Gives up a task: its signal is aborted, or it is not started. Absent if the stage cannot do that. */
  cancel?(uuid: string): void;
  /**
   * Returns the time, by `performance.now()`, since which work has blocked the stage; undefined if it is not blocked.
   */
  blockedSince?(): number | undefined;
  /** Ends a stage that is stuck, so that it is started again. */
  replace?(): void;
}

/** Functions of the service that a stage calls. A stage that calls `control` also calls `notify`. */
export interface StageHooks {
  /** Receives the changes of state of its tasks. */
  readonly notify: Notify;
  readonly control: (stage: ServedStage) => void;
}

/** A stage, such as `exec(…)` of the library: it takes tasks and returns them with their results. */
export type Stage = (
  tasks: AsyncIterable<readonly Task[]>,
  hooks?: StageHooks,
) => AsyncIterable<readonly Task[]>;

/** Options of the part that drives the stage. */
export interface FeederOptions {
  readonly stage: Stage;
  /** Aborted to stop: a stage that ends afterwards is not restarted. */
  readonly stopping: AbortSignal;
  /** Aborted to leave without waiting for the stage. */
  readonly aborting: AbortSignal;
  /** True if the results are written by a `task-save` at the end of a pipe, and not by the stage. */
  readonly isAdopting: boolean;
  /** Maximum number of tasks in flight in the stage. */
  readonly window: number;
  /** Time after which a running task fails, in milliseconds. */
  readonly timeout: number;
  /** Time to wait for the end of the stage after a stop, in milliseconds. */
  readonly grace: number;
  readonly warn: (message: string) => void;
  /**
   * Called if the program of the stage refuses its options, or a file that they name, at its first start. Default: it
   * is restarted.
   */
  readonly onBroken?: ((death: StageDeath) => void) | undefined;
}

export interface ServiceOptions extends FeederOptions {
  /** Maximum number of unfinished tasks. */
  readonly backlog: number;
  readonly rerun: RerunRules;
  /** Age at which an ended task is deleted, in milliseconds; undefined: never. */
  readonly keep: number | undefined;
  /** Folder of the logs of tasks. */
  readonly logDir: string | undefined;
}
