import { messageOf, TaskpipeError } from '../../core/base/errors.ts';
import type { Task } from '../../core/record/task.ts';
import type { Attempt, Outcome } from '../contract.ts';
import { failure } from '../from-function.ts';
import { Deadlines } from './deadlines.ts';
import type { Handlers } from './handlers.ts';
import { Context, type Services } from './module-context.ts';

/** Calls of module functions. */
export interface ModuleWork {
  attempt(task: Task, attempt: Attempt): Outcome | Promise<Outcome>;
  /** Cancels all deadlines. */
  close(): void;
}

/** @param timeout of each attempt, in milliseconds */
export function moduleWork(handlers: Handlers, services: Services, timeout: number): ModuleWork {
  const deadlines = new Deadlines(timeout);
  const settled = (value: PromiseLike<unknown>, context: Context): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const deadline = deadlines.begin(() => {
        context.end(true);
        resolve(late(timeout));
      });
      const settle = (outcomeOf: typeof succeeded, what: unknown): void => {
        deadlines.end(deadline);
        try {
          resolve(outcomeOf(what, context));
        } catch (error) {
          reject(error);
        }
      };
      value.then(
        (result) => settle(succeeded, result),
        (error) => settle(failed, error),
      );
    });
  return {
    attempt(task, attempt) {
      const fields = task.copy(); // a copy: changes by the function must not affect our view of the record
      const handler = handlers.of(fields);
      if (typeof handler !== 'function') return { error: handler };
      const context = new Context(task.uuid, attempt, services);
      let value: unknown;
      try {
        value = handler(fields, context);
      } catch (error) {
        return failed(error, context);
      }
      return isPromise(value) ? settled(value, context) : succeeded(value, context);
    },
    close: () => deadlines.close(),
  };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function';
}

/** Returns the outcome of an attempt that exceeded its timeout. */
export function late(timeout: number): Outcome {
  return {
    error: { code: 'TIMEOUT', message: `the function did not end within ${timeout / 1000} s (--timeout)` },
    retry: {},
  };
}

function succeeded(value: unknown, context: Context): Outcome {
  context.end(false);
  let result: string | undefined;
  try {
    result = JSON.stringify(value);
  } catch (error) {
    return {
      error: {
        code: 'RESULT',
        message: `the function returned a value that is not JSON: ${messageOf(error)}`,
      },
    };
  }
  const { children } = context;
  if (children !== undefined) return result === undefined ? { children } : { result, children };
  return result === undefined ? {} : { result };
}

/** @throws errors that are not the task's fault, such as a log that cannot be written: they end the stage */
function failed(thrown: unknown, context: Context): Outcome {
  context.end(false);
  if (thrown instanceof TaskpipeError) throw thrown;
  return failure(thrown);
}
