import type { Task } from '../core/task.ts';
import type { ServeState } from './records.ts';
import type { Finished } from './store.ts';

/** Does tasks, as `exec(…)` of the library does: they go in, and come out with what came of them. */
export type Stage = (tasks: AsyncIterable<readonly Task[]>) => AsyncIterable<readonly Task[]>;

export interface ServiceOptions {
  readonly stage: Stage;
  /** Aborted where it is to come to its end: a stage that ends then is not started again. */
  readonly stopping: AbortSignal;
  /** Whether what comes of tasks is written by a `task-save` at the end of a pipe, and not by the stage. */
  readonly isAdopting?: boolean;
  /** Whether somebody calls `began`; otherwise a task has begun when the stage is given it. */
  readonly isToldOfBegin?: boolean;
  /** How many tasks the stage is given that have not come back. */
  readonly window: number;
  /** A task that has been running so long, in milliseconds, has failed. */
  readonly timeout: number;
  /** How many tasks may wait; more are refused. */
  readonly backlog: number;
  readonly rerunAfter: number;
  readonly onDone?: ((finished: Finished) => void) | undefined;
  readonly say: (message: string) => void;
}

/** A change of state, as it is told to who watches. */
export interface Change {
  readonly uuid: string;
  readonly state: ServeState;
}
