/** The library: everything that the commands do, typed. */

export { type ErrorCode, TaskpipeError } from './core/errors.ts';
export type { BadInput, Reject } from './core/lines.ts';
export { readTasks } from './core/ndjson.ts';
export type { Rate } from './core/rate.ts';
export type { Backoff } from './core/retry.ts';
export { type Failure, type Fields, type Run, type State, Task } from './core/task.ts';
export { nameUuid, randomUuid } from './core/uuid.ts';
export { type CommandOptions, command } from './executors/command/index.ts';
export type { Attempt, Executor, Outcome, Retry } from './executors/executor.ts';
export { type FlowExecutorOptions, type FlowSource, flow } from './executors/flow/index.ts';
export type { Work, WorkContext } from './executors/function.ts';
export type { Fetch, FetchOptions, FetchResponse } from './executors/http/fetch.ts';
export { type HttpOptions, http } from './executors/http/index.ts';
export type { AddOptions } from './executors/module/children.ts';
export type { ModuleContext } from './executors/module/context.ts';
export type { Logger } from './executors/module/logger.ts';
export { type RetryOn, toRetryOn } from './executors/process/retry.ts';
export { type WorkerOptions, worker } from './executors/worker/index.ts';
export { graph, linear, unordered } from './flow/index.ts';
export { finishedIn, type Ledger, type LedgerWriter, openLedger as ledger } from './ledgers/index.ts';
export { openQueues as queues, type Queue, type QueueSettings, type Queues } from './queues/index.ts';
export { writeReport } from './reports/file.ts';
export type { Cause, Host, HostCounts, Latency, Report, TaskCounts, Throughput } from './reports/report.ts';
export { type ExecCounts, type ExecOptions, type Execution, exec } from './stages/exec.ts';
export { type LoadCounts, type Loading, type LoadOptions, load } from './stages/load.ts';
export { type Procession, procession, type Tasks } from './stages/procession.ts';
export { type FieldOption, type SaveOptions, type SaveSummary, save } from './stages/save.ts';
