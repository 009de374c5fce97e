import { type ErrorCode, TaskpipeError } from '../core/base/errors.ts';
import type { Task } from '../core/record/task.ts';

/** Error that refuses records. Finished work among them goes to the rest file: it must not run again. */
export class RefusedRecords extends TaskpipeError {
  /** The records that arrived and were not saved. */
  readonly tasks: readonly Task[];

  constructor(code: ErrorCode, message: string, tasks: readonly Task[]) {
    super(code, message);
    this.tasks = tasks;
  }
}
