import type { Task } from '../../core/record/task.ts';
import type { ServeState } from './stored-record.ts';

/** Outcome of a submission. */
export interface Submitted {
  readonly uuid: string;
  /** True if the task will be run; false if it exists already. */
  readonly isNew: boolean;
  /** Previous state, if the task is run again. */
  readonly was: string | undefined;
}

/** Setting of a store. */
export interface StoreOptions {
  /** Writes a line to stderr. */
  readonly warn: (message: string) => void;
  /** True to make the file readable by its owner only. Default false. */
  readonly isPrivate?: boolean;
  /** True if old tasks will be deleted. Default false. */
  readonly isPruned?: boolean;
}

/** A task that was deleted, with its state. */
export interface Pruned {
  readonly uuid: string;
  readonly state: string;
}

/** Rules by which an ended task is run again when it is submitted. */
export interface RerunRules {
  /** Age, in milliseconds. */
  readonly after: number;
  /** True if a task that did not succeed is run again at any age. */
  readonly failed: boolean;
}

/** Deaths of the stage that count against a task. */
export interface DeathCount {
  readonly uuid: string;
  readonly deaths: number;
  /** Number of tasks that were in flight at the last death. */
  readonly together: number;
}

/** A finished task. */
export interface Finished {
  readonly task: Task;
  readonly state: ServeState;
}
