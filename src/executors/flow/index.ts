/*
 * The executor of --flow: runs a flow for each task. Owns the outcome of a flow as a record. Must not know how a flow
 * runs: that is for flow/.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { checkOptions } from '../../core/options/library-options.ts';
import { mustBeDuration, mustBeWhole } from '../../core/options/option.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import { isFlow } from '../../flow/patterns.ts';
import { compile } from '../../flow/plan/compile.ts';
import { openFlowLog } from '../../flow/run/flow-log.ts';
import type { Executor, Setting } from '../contract.ts';
import { loadDefault } from '../load-module.ts';
import { FlowRuns, type FlowSource } from './flow-runs.ts';
import { type FlowExecutorOptions, type FlowValues, flowOptions, OWN_FLOW_OPTIONS } from './options.ts';

export type { FlowSource } from './flow-runs.ts';
export type { FlowExecutorOptions } from './options.ts';

/**
 * Returns the executor of `--flow`, which runs a flow for each task. The attributes of the task are the initial
 * values, and what the atoms provide is the result.
 * @throws {TaskpipeError} `USAGE` if the flow cannot run, `IO` if the log cannot be used, `LOCKED` if another
 *   process uses it
 */
export async function flow(source: FlowSource, options: FlowExecutorOptions = {}): Promise<Executor> {
  checkOptions('flow()', options, flowOptions, OWN_FLOW_OPTIONS);
  mustBeWhole('jobs', options.jobs, 1);
  mustBeDuration('timeout', options.timeout);
  if (!isFlow(source) && typeof source !== 'function')
    throw new TaskpipeError(
      'USAGE',
      `flow() takes a flow, or a function that returns one; got ${typeof source}`,
    );
  if (isFlow(source)) compile(source);
  const { flowLog: path, info = () => {} } = options;
  const log = path === undefined ? undefined : await openFlowLog(path, info);
  const runs = new FlowRuns(source, options, log);
  return {
    attempt: (task, attempt) => runs.run(task, attempt),
    describe: (task) =>
      isFlow(source) ? `run the flow "${source.name}" for ${task.uuid}` : `run a flow for ${task.uuid}`,
    close: () => runs.close(),
  };
}

/** Returns the executor from the values of the command line. */
export async function flowFromValues(values: FlowValues, setting: Setting): Promise<Executor> {
  const { flow: file, engine, jobs, flowLog } = values;
  const { timeout, stopping, info, notify, revert } = setting;
  if (revert) throw new TaskpipeError('USAGE', '--revert cannot be used with --flow: a flow reverts itself');
  const logPlace = flowLog === undefined ? undefined : steadyPath(flowLog);
  const source = await loadDefault(file, '--flow', 'a flow, as in: export default linear("name").add(...)');
  if (!isFlow(source) && typeof source !== 'function') {
    throw new TaskpipeError(
      'USAGE',
      `--flow ${file}: the default export must be a flow, or a function of the task that returns one; got ${typeof source}`,
    );
  }
  return flow(source as FlowSource, { engine, jobs, timeout, flowLog: logPlace?.(), stopping, info, notify });
}
