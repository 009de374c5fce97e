import { onTestFinished } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import type { Executor, Outcome, StageControl } from '../../../src/executors/contract.ts';
import { type HttpOptions, http } from '../../../src/executors/http/index.ts';
import { type ExecOptions, exec } from '../../../src/stages/exec/exec.ts';

/** Stage control that does nothing. */
export const stage: StageControl = { stop() {}, done() {} };

/** Returns a task with these attributes, or with this text as its record. */
export function taskOf(record: object | string, uuid = 'u1'): Task {
  const line = typeof record === 'string' ? record : JSON.stringify({ uuid, ...record });
  return new Task(uuid, line);
}

/** Opens an executor and closes it at the end of the test. */
export async function open(options: HttpOptions = {}): Promise<Executor> {
  const executor = await http({ timeout: 5000, ...options });
  onTestFinished(() => executor.close());
  return executor;
}

/** Outcome of an attempt, with its result parsed. */
export interface Tried extends Omit<Outcome, 'result'> {
  readonly result: Record<string, unknown> | undefined;
  /** Result before parsing. */
  readonly raw: string | undefined;
}

/** Makes the first attempt at a task. */
export async function attempt(executor: Executor, record: object | string, uuid?: string): Promise<Tried> {
  const { result: raw, ...rest } = await executor.attempt(taskOf(record, uuid), {
    number: 1,
    signal: new AbortController().signal,
    stage,
  });
  return { ...rest, raw, result: raw === undefined ? undefined : JSON.parse(raw) };
}

/** Makes the first attempt at a task with its own executor. */
export async function fetchOne(record: object | string, options: HttpOptions = {}): Promise<Tried> {
  return attempt(await open(options), record);
}

/** Records of a stage, and the time that it took. */
export interface Run {
  readonly records: readonly {
    readonly uuid: string;
    readonly result?: Record<string, unknown>;
    readonly run: Record<string, unknown>;
  }[];
  readonly ms: number;
}

/** Runs tasks with these urls through a stage. */
export async function runAll(
  urls: readonly string[],
  options: ExecOptions,
  more: HttpOptions = {},
  record: object = {},
): Promise<Run> {
  const executor = await http({ timeout: 20_000, ...more });
  async function* input(): AsyncGenerator<readonly Task[]> {
    yield urls.map((url, i) => taskOf({ uuid: `u${i}`, url, ...record }, `u${i}`));
  }
  const began = performance.now();
  const records: Run['records'][number][] = [];
  for await (const batch of exec(executor, { backoff: { min: 0, max: 1 }, ...options })(input()))
    for (const { line } of batch) records.push(JSON.parse(line));
  return { records, ms: performance.now() - began };
}

/** Returns the different states of the records. */
export const states = ({ records }: Run): string[] => [
  ...new Set(records.map(({ run }) => String(run.state))),
];
