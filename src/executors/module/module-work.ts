import { limitText } from '../../core/base/format.ts';
import { isA } from '../../core/base/thrown.ts';
import type { Fields, Task } from '../../core/record/task.ts';
import type { Attempt, BatchOutcome, Outcome, WholeOutcome } from '../contract.ts';
import { failure, isThenable, success, whenSettled } from '../from-function.ts';
import { type BatchHandler, batchName, batchReader, isError, itemsOf } from './batch-result.ts';
import { Deadlines } from './deadlines.ts';
import type { Handlers } from './handlers.ts';
import { LogError } from './logger.ts';
import { Context, type Services } from './module-context.ts';

/** Calls of module functions. */
export interface ModuleWork {
  attempt(task: Task, attempt: Attempt): Outcome | Promise<Outcome>;
  /** Calls the function once for several tasks. */
  attemptAll(tasks: readonly Task[], attempt: Attempt): BatchOutcome | Promise<BatchOutcome>;
  readonly batchKey: Handlers['keyOf'];
  /** Cancels all deadlines. */
  close(): void;
}

/** @param timeout of each attempt, in milliseconds */
export function moduleWork(handlers: Handlers, services: Services, timeout: number): ModuleWork {
  const deadlines = new Deadlines(timeout);
  const settled = <T>(value: PromiseLike<unknown>, context: Context, reads: Reading<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const deadline = deadlines.begin(() => {
        context.end(true);
        resolve(reads.late(timeout));
      });
      const settle = (outcomeOf: Reading<T>['succeeded'], what: unknown): void => {
        deadlines.end(deadline);
        try {
          resolve(outcomeOf(what, context));
        } catch (error) {
          reject(error);
        }
      };
      whenSettled(
        value,
        (result) => settle(reads.succeeded, result),
        (thrown) => settle(reads.failed, thrown),
      );
    });
  return {
    attempt(task, attempt) {
      const fields = task.copy(); // a copy: changes by the function must not affect our view of the record
      const handler = handlers.of(fields);
      if (typeof handler !== 'function') return { error: handler };
      const context = new Context(task.uuid, attempt, services);
      try {
        const value = handler(fields, context);
        return isThenable(value) ? settled(value, context, ONE) : succeeded(value, context);
      } catch (error) {
        return failed(error, context);
      }
    },
    attemptAll(tasks, attempt) {
      const all = tasks.map((task) => task.copy());
      const handler = handlers.of(all[0] as Fields) as unknown as BatchHandler; // a failure is known from `batchKey`
      const context = new Context(batchName(tasks), attempt, services, tasks);
      const read = batchReader(tasks);
      const succeededAll = (value: unknown, made: Context): BatchOutcome =>
        isError(value) ? failedAll(value, made) : read(value, made);
      const reads = { succeeded: succeededAll, failed: failedAll, late: lateAll };
      try {
        const value = itemsOf(handler(all, context));
        return isThenable(value) ? settled(value, context, reads) : reads.succeeded(value, context);
      } catch (error) {
        return failedAll(error, context);
      }
    },
    batchKey: handlers.keyOf,
    close: () => deadlines.close(),
  };
}

/** Functions that read the end of a call. */
interface Reading<T> {
  readonly succeeded: (value: unknown, context: Context) => T;
  readonly failed: (thrown: unknown, context: Context) => T;
  readonly late: (timeout: number) => T;
}

const ONE: Reading<Outcome> = { succeeded, failed, late };

/** Returns the outcome of an attempt that exceeded its timeout. */
export function late(timeout: number): Outcome {
  return {
    error: { code: 'TIMEOUT', message: `the function did not end within ${limitText(timeout)} (--timeout)` },
    retry: {},
  };
}

function lateAll(timeout: number): WholeOutcome {
  return { whole: late(timeout), halves: 'later' };
}

function succeeded(value: unknown, context: Context): Outcome {
  context.end(false);
  const outcome = success(value);
  const children = context.childrenOf(context.uuid);
  return children === undefined || outcome.error !== undefined ? outcome : { ...outcome, children };
}

/** @throws {LogError} not a failure of the task: it ends the stage */
function failed(thrown: unknown, context: Context): Outcome {
  context.end(false);
  if (isA(thrown, LogError)) throw thrown;
  return failure(thrown);
}

/** @throws {LogError} */
function failedAll(thrown: unknown, context: Context): WholeOutcome {
  const whole = failed(thrown, context);
  return { whole, halves: whole.retry === undefined ? 'now' : 'later' };
}
