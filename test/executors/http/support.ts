import { onTestFinished } from 'vitest';
import { Task } from '../../../src/core/record/task.ts';
import type { Executor, Outcome, StageControl } from '../../../src/executors/contract.ts';
import { type HttpOptions, http } from '../../../src/executors/http/index.ts';

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

/** Makes the first attempt at a task with an executor of its own. */
export async function fetchOne(record: object | string, options: HttpOptions = {}): Promise<Tried> {
  return attempt(await open(options), record);
}
