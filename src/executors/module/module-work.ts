import { isA } from '../../core/base/thrown.ts';
import type { Task } from '../../core/record/task.ts';
import type { Attempt, Outcome } from '../contract.ts';
import { failure, isThenable, settledOf, success } from '../from-function.ts';
import { Deadlines } from './deadlines.ts';
import type { Handlers } from './handlers.ts';
import { LogError } from './logger.ts';
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
      void settledOf(value).then((settled) => {
        if ('value' in settled) settle(succeeded, settled.value);
        else settle(failed, settled.thrown);
      });
    });
  return {
    attempt(task, attempt) {
      const fields = task.copy(); // a copy: changes by the function must not affect our view of the record
      const handler = handlers.of(fields);
      if (typeof handler !== 'function') return { error: handler };
      const context = new Context(task.uuid, attempt, services);
      try {
        const value = handler(fields, context);
        return isThenable(value) ? settled(value, context) : succeeded(value, context);
      } catch (error) {
        return failed(error, context);
      }
    },
    close: () => deadlines.close(),
  };
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
  const outcome = success(value);
  const { children } = context;
  return children === undefined || outcome.error !== undefined ? outcome : { ...outcome, children };
}

/** @throws {LogError} not the task's fault: it ends the stage */
function failed(thrown: unknown, context: Context): Outcome {
  context.end(false);
  if (isA(thrown, LogError)) throw thrown;
  return failure(thrown);
}
