/*
 * The executor of --flow: runs a flow for each task. Owns the outcome of a flow as a record. Must not know how a flow
 * runs: that is for flow/.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { checkOptions } from '../../core/options/library-options.ts';
import { mustBeDuration, mustBeWhole } from '../../core/options/option.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import { type DrawFormat, draw } from '../../flow/draw/draw.ts';
import { openFlowLog } from '../../flow/log/flow-log.ts';
import { isFlow } from '../../flow/patterns.ts';
import { compile } from '../../flow/plan/compile.ts';
import type { Executor, Setting } from '../contract.ts';
import { loadDefault } from '../load-module.ts';
import { checkRevert } from './flow-revert.ts';
import { FlowRuns, type FlowSource } from './flow-runs.ts';
import { type FlowExecutorOptions, type FlowValues, flowOptions, OWN_FLOW_OPTIONS } from './options.ts';

export type { FlowSource } from './flow-runs.ts';
export type { FlowExecutorOptions } from './options.ts';

/**
 * Returns the executor of `--flow`, which runs a flow for each task. The attributes of the task are the initial
 * values, and the values that the atoms provide are the result.
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
  const { flowLog: path, info = () => {}, revert } = options;
  if (isFlow(source)) {
    const compiled = compile(source);
    if (revert) checkRevert(compiled, path !== undefined);
  }
  const log = path === undefined ? undefined : await openFlowLog(path, info, { isForRevert: revert });
  const verb = revert ? 'revert' : 'run';
  const runs = new FlowRuns(source, options, log);
  return {
    attempt: (task, attempt) => runs.run(task, attempt),
    describe: (task) =>
      isFlow(source)
        ? `${verb} the flow "${source.name}" for ${task.uuid}`
        : `${verb} a flow for ${task.uuid}`,
    atomTimes: () => runs.times.times,
    close: () => runs.close(),
  };
}

/** Returns the executor from the values of the command line. */
export async function flowFromValues(values: FlowValues, setting: Setting): Promise<Executor> {
  const { flow: file, engine, jobs, flowLog, as } = values;
  const { timeout, stopping, info, notify, revert, measures } = setting;
  const logPlace = flowLog === undefined ? undefined : steadyPath(flowLog);
  const source = await loadFlow(file);
  const limits = { engine, jobs, timeout };
  const told = { stopping, info, notify, measures };
  return flow(source, { ...limits, ...told, flowLog: logPlace?.(), revert, as });
}

/**
 * Returns the graph of the flow that a file exports, as text.
 * @throws {TaskpipeError} `USAGE` if the file exports no flow, or one that cannot run
 */
export async function drawFlow(file: string, format: DrawFormat): Promise<string> {
  const source = await loadFlow(file);
  if (isFlow(source)) return draw(source, format);
  throw new TaskpipeError(
    'USAGE',
    `--draw needs a flow, and ${file} exports a function that makes one for each task; export one of them, as in: export default makeFlow({ email: "ann@a.org" })`,
  );
}

/** Loads the flow that `--flow` names. */
async function loadFlow(file: string): Promise<FlowSource> {
  const source = await loadDefault(file, '--flow', 'a flow, as in: export default linear("name").add(...)');
  if (isFlow(source) || typeof source === 'function') return source as FlowSource;
  throw new TaskpipeError(
    'USAGE',
    `--flow ${file}: the default export must be a flow, or a function of the task that returns one; got ${typeof source}`,
  );
}
