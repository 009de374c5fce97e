import { thrownOf } from '../core/base/thrown.ts';
import { userJson } from '../core/base/user-json.ts';
import type { Task } from '../core/record/task.ts';
import type { Executor, Outcome } from './contract.ts';

/** Context of a function, besides its task. */
export interface WorkContext {
  /** Aborted when the work should stop: it was cancelled, or the stage leaves. */
  readonly signal: AbortSignal;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
}

/**
 * Work as a function. Its return value is the result, as JSON; undefined means no result. If it throws, the task
 * becomes a FAILURE with the `code` of the error, else `ERROR`; an error whose `retry` is true is retried.
 */
export type Work = (task: Task, context: WorkContext) => unknown;

/** Returns an executor that calls a function. */
export function fromFunction(work: Work): Executor {
  return {
    attempt: (task, { signal: leaving, cancelled, number }) => {
      try {
        const signal = cancelled === undefined ? leaving : AbortSignal.any([leaving, cancelled]);
        const value = work(task, { signal, attempt: number });
        return isThenable(value) ? settledOf(value).then(outcomeOf) : success(value);
      } catch (error) {
        return failure(error);
      }
    },
    describe: (task) => `call ${work.name || 'a function'} for ${task.uuid}`,
    close: async () => {},
  };
}

/** Returns true for a promise, also one of another library. @throws what its `then` throws if it is read */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return false;
  return typeof (value as PromiseLike<unknown>).then === 'function';
}

/** End of a promise of user code. */
export type Settled = { readonly value: unknown } | { readonly thrown: unknown };

/**
 * Waits for a promise of user code. Never rejects: unlike `then`, `await` works for a promise with its own `then` or
 * `constructor`.
 */
export async function settledOf(promise: PromiseLike<unknown>): Promise<Settled> {
  try {
    return { value: await promise };
  } catch (thrown) {
    return { thrown };
  }
}

/**
 * Calls one of two functions when a promise of user code is settled. Needs no further promises for one that is as Node
 * made it.
 */
export function whenSettled(
  promise: PromiseLike<unknown>,
  onValue: (value: unknown) => void,
  onThrown: (thrown: unknown) => void,
): void {
  if (isPlain(promise)) void THEN.call(promise, onValue, onThrown);
  else
    void settledOf(promise).then((settled) =>
      'value' in settled ? onValue(settled.value) : onThrown(settled.thrown),
    );
}

const THEN = Promise.prototype.then;

/** Returns true for a promise with the `then` and the `constructor` of all promises. */
function isPlain(promise: PromiseLike<unknown>): promise is Promise<unknown> {
  try {
    return promise instanceof Promise && promise.then === THEN && promise.constructor === Promise;
  } catch {
    return false;
  }
}

function outcomeOf(settled: Settled): Outcome {
  return 'value' in settled ? success(settled.value) : failure(settled.thrown);
}

/**
 * Returns the outcome of a function that returned a value: its JSON, or a failure that names the type of the value.
 */
export function success(value: unknown): Outcome {
  const { text, fault } = userJson(value);
  if (fault !== undefined)
    return { error: { code: 'RESULT', message: `the function returned a value that is not JSON: ${fault}` } };
  return text === undefined ? {} : { result: text };
}

/** Returns the outcome of a function that threw, whatever that was. */
export function failure(error: unknown): Outcome {
  const { code, message, retry, stack } = thrownOf(error);
  return {
    error: { code, message },
    ...(retry ? { retry: {} } : {}),
    ...(stack === undefined ? {} : { stack }),
  };
}
