import type { Task } from '../../core/record/task.ts';
import type { ServeState } from '../store/stored-record.ts';
import type { Finished } from '../store/task-store.ts';

/** A stage, such as `exec(…)` of the library: it takes tasks and returns them with their results. */
export type Stage = (tasks: AsyncIterable<readonly Task[]>) => AsyncIterable<readonly Task[]>;

export interface ServiceOptions {
  readonly stage: Stage;
  /** Aborted to stop: a stage that ends afterwards is not restarted. */
  readonly stopping: AbortSignal;
  /** True if a `task-save` at the end of a pipe writes the results, and not the stage. */
  readonly isAdopting?: boolean;
  /** True if the stage calls `began`; otherwise a task has started when the stage gets it. */
  readonly isToldOfBegin?: boolean;
  /** Maximum number of tasks in flight in the stage. */
  readonly window: number;
  /** Time after which a running task fails, in milliseconds. */
  readonly timeout: number;
  /** Maximum number of unfinished tasks. */
  readonly backlog: number;
  readonly rerunAfter: number;
  readonly onDone?: ((finished: Finished) => void) | undefined;
  readonly warn: (message: string) => void;
}

/** A change of state, as watchers get it. */
export interface StateChange {
  readonly uuid: string;
  readonly state: ServeState;
}
