import type { Task } from '../../core/record/task.ts';
import type { Executor } from '../../executors/contract.ts';
import { fromFunction, type Work } from '../../executors/from-function.ts';
import { mustTakeBatches } from './batch/batch-rules.ts';
import type { Execution } from './contract.ts';
import { checkExecOptions, type ExecHooks, type ExecOptions } from './exec-options.ts';
import { ExecStage } from './run/exec-stage.ts';

export type { ExecCounts, Execution } from './contract.ts';
export type { ExecOptions } from './exec-options.ts';

/**
 * Returns a stage that works on tasks: `exec(work, options)(tasks)`. It runs records without `run`, and those
 * whose `run` ended as SUCCESS or PENDING. A record that arrives as a failure passes unchanged.
 * @param work a function, or an executor such as `http()`; an executor is closed at the end
 * @returns the stage; the program that drives it may pass its own hooks, besides those of `options`
 * @throws {TaskpipeError} `USAGE` if an option is invalid
 */
export function exec(
  work: Work | Executor,
  options: ExecOptions = {},
): (tasks: AsyncIterable<readonly Task[]>, hooks?: ExecHooks) => Execution {
  checkExecOptions(options);
  const executor = typeof work === 'function' ? fromFunction(work) : work;
  mustTakeBatches(executor, options.batch);
  return (tasks, hooks) => new ExecStage(executor, withHooks(options, hooks), tasks);
}

/** Returns options with further hooks. */
function withHooks(options: ExecOptions, hooks: ExecHooks | undefined): ExecOptions {
  if (hooks === undefined) return options;
  const notify: ExecOptions['notify'] = (event) => {
    options.notify?.(event);
    hooks.notify?.(event);
  };
  const control: ExecOptions['control'] = (stage) => {
    options.control?.(stage);
    hooks.control?.(stage);
  };
  return { ...options, notify, control };
}
