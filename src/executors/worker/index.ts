/*
 * The executor of --worker: long-lived programs that read one task per line and answer with one line. Owns the
 * protocol and the restarts. Must not know what a task means.
 */
import type { Executor } from '../contract.ts';
import { MAX_OUTPUT, TIMEOUT } from '../program/options.ts';
import { RETRY_ON, toRetryOn } from '../program/retry-on.ts';
import { type Call, NO_TASK, programOf } from '../program/start-program.ts';
import type { Assignment } from './assignment.ts';
import { batchTask } from './batch-form.ts';
import type { WorkerOptions } from './options.ts';
import { WorkerPool } from './worker-pool.ts';

export { fromValues, type WorkerOptions, workerOptions } from './options.ts';

/**
 * Returns the executor of `--worker`: long-lived processes that read one task a line from standard input and
 * write a line with the same uuid for each, in any order. See `outcomeOf` for the format.
 * @param typed command of a worker; its number, from 1, is in `TASK_WORKER_NUMBER`
 * @throws {TaskpipeError} `USAGE` if it cannot be split into words, or there is no such program
 */
export async function worker(typed: string, options: WorkerOptions = {}): Promise<Executor> {
  const { jobs = 10, perWorker, grace = 10_000, print = () => {}, info = () => {}, stopping } = options;
  const { maxOutput = MAX_OUTPUT, timeout = TIMEOUT, retryOn = toRetryOn(RETRY_ON) } = options;
  const form = options.batchLines ? 'lines' : 'object';
  const batchForm = options.batch === undefined ? undefined : form;
  const program = programOf('worker', typed, options);
  const { name, cwd, env } = program;
  const call = program.callFor(NO_TASK) as Call;
  const pool = new WorkerPool({
    ...{ name, cwd, env, call, size: jobs, perWorker, timeout, maxOutput, retryOn, grace, print },
    ...{ info, stopping, batchForm, batch: options.batch },
  });
  const attemptAll: NonNullable<Executor['attemptAll']> = (batch, { cancelled }) =>
    new Promise((resolve, fail) => {
      const assignment: Assignment = {
        ...{ task: batchTask(batch, form), batch, fail },
        settle: (whole, halves = 'never') => resolve({ whole, halves }),
        settleAll: resolve,
      };
      cancelled?.addEventListener('abort', () => pool.cancel(assignment));
      pool.do(assignment);
    });
  return {
    get capacity() {
      return pool.capacity;
    },
    attempt: (task, { cancelled }) =>
      new Promise((settle, fail) => {
        const assignment = { task, settle, fail };
        cancelled?.addEventListener('abort', () => pool.cancel(assignment));
        pool.do(assignment);
      }),
    ...(batchForm !== undefined && { attemptAll }),
    drained: () => pool.drained(),
    describe: ({ uuid }) => `give ${uuid} to a worker: ${program.show(call)}`,
    close: () => pool.close(),
  };
}
