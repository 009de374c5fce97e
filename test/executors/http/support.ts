import { onTestFinished } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import type { Executor, Outcome, StageControl } from '../../../src/executors/contract.ts';
import { type HttpOptions, http } from '../../../src/executors/http/index.ts';

/** A stage of which nothing is asked. */
export const stage: StageControl = { stop() {}, done() {} };

/** A task of some attributes, or of a record's text. */
export function taskOf(record: object | string, uuid = 'u1'): Task {
  const line = typeof record === 'string' ? record : JSON.stringify({ uuid, ...record });
  return new Task(uuid, line);
}

/** An executor that is closed at the end of the test. */
export async function open(options: HttpOptions = {}): Promise<Executor> {
  const executor = await http({ timeout: 5000, ...options });
  onTestFinished(() => executor.close());
  return executor;
}

/** What an attempt gave, its result parsed. */
export interface Tried extends Omit<Outcome, 'result'> {
  readonly result: Record<string, unknown> | undefined;
  /** The result as it was given. */
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

/** The same, with an executor for this alone. */
export async function fetchOne(record: object | string, options: HttpOptions = {}): Promise<Tried> {
  return attempt(await open(options), record);
}
