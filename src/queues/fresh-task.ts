import { stateOf, type Task, withRun } from '../core/record/task.ts';

/** Removes the `run` of a failed task, so that it is run again. */
export function fresh(task: Task): Task {
  const state = stateOf(task);
  return state === undefined || state === 'SUCCESS' ? task : withRun(task, undefined);
}
