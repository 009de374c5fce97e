import { messageOf } from '../core/base/errors.ts';
import type { Task } from '../core/record/task.ts';
import type { Executor, Outcome } from './contract.ts';

/** Context of a function, besides its task. */
export interface WorkContext {
  /** Aborted when the work should be given up. */
  readonly signal: AbortSignal;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
}

/**
 * Work as a function. What it returns is the result, as JSON; undefined means none. What it throws makes the
 * task a FAILURE with the `code` of the error, else `ERROR`; an error whose `retry` is true is retried.
 */
export type Work = (task: Task, context: WorkContext) => unknown;

/** Returns an executor that calls a function. */
export function fromFunction(work: Work): Executor {
  return {
    attempt: (task, { signal, number }) => {
      try {
        const value = work(task, { signal, attempt: number });
        return value instanceof Promise ? value.then(success).catch(failure) : success(value);
      } catch (error) {
        return failure(error);
      }
    },
    describe: (task) => `call ${work.name || 'a function'} for ${task.uuid}`,
    close: async () => {},
  };
}

function success(value: unknown): { result?: string } {
  const result = JSON.stringify(value);
  return result === undefined ? {} : { result };
}

/** Returns the outcome of a function that threw. */
export function failure(error: unknown): Outcome {
  const { code, retry } = (error ?? {}) as { code?: unknown; retry?: unknown };
  const stack = error instanceof Error ? error.stack : undefined;
  return {
    error: { code: typeof code === 'string' ? code : 'ERROR', message: messageOf(error) },
    ...(retry === true ? { retry: {} } : {}),
    ...(stack === undefined ? {} : { stack }),
  };
}
