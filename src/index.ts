/*
 * The library: everything that the commands do, typed. Owns nothing; it only exports. What is not exported here, or from
 * taskpipe/flow and taskpipe/serve, may change at any time.
 */
export type { AtomTime, CallTimes } from './core/base/call-times.ts';
export { type ErrorCode, TaskpipeError } from './core/base/errors.ts';
export { nameUuid, randomUuid } from './core/ids/index.ts';
export { readTasks } from './core/record/ndjson.ts';
export { attribute, type Failure, type Fields, type Run, type State, Task } from './core/record/task.ts';
export type { Backoff } from './core/schedule/backoff.ts';
export type { Rate } from './core/schedule/rate.ts';
export type { BadInput, Reject } from './core/text/lines.ts';
export { type CommandOptions, command } from './executors/command/index.ts';
export type {
  Attempt,
  BatchOutcome,
  Executor,
  Outcome,
  RetryHint,
  WholeOutcome,
} from './executors/contract.ts';
export { type FlowExecutorOptions, type FlowSource, flow } from './executors/flow/index.ts';
export type { Work, WorkContext } from './executors/from-function.ts';
export type { Fetch, FetchOptions, FetchResponse } from './executors/http/fetch.ts';
export { type HttpOptions, http } from './executors/http/index.ts';
export type { AddOptions } from './executors/module/added-tasks.ts';
export type { Logger } from './executors/module/logger.ts';
export type { ModuleContext } from './executors/module/module-context.ts';
export { type RetryOn, toRetryOn } from './executors/program/retry-on.ts';
export { type WorkerOptions, worker } from './executors/worker/index.ts';
export { graph, linear, unordered } from './flow/index.ts';
export { finishedIn, type Ledger, type LedgerWriter, openLedger as ledger } from './ledgers/index.ts';
export { openQueues as queues, type Queue, type QueueSettings, type Queues } from './queues/index.ts';
export type { Cause, Host, HostCounts, Latency, Report, TaskCounts, Throughput } from './reports/report.ts';
export { writeReport } from './reports/report-file.ts';
export { type ExecCounts, type ExecOptions, type Execution, exec } from './stages/exec/exec.ts';
export { type LoadCounts, type Loading, type LoadOptions, load, type RowSource } from './stages/load/load.ts';
export {
  type Pipeline,
  type Pipeline as Procession,
  pipeline,
  pipeline as procession,
  type Tasks,
} from './stages/pipeline.ts';
export { type FieldOption, type SaveOptions, type SaveSummary, save } from './stages/save/save.ts';
