import { count, type Option, type OptionValues } from '../../core/options/option.ts';
import type { Setting } from '../contract.ts';
import type { processOptions } from '../program/options.ts';
import type { RetryOn } from '../program/retry-on.ts';

/** Options of the executor for workers. */
export interface WorkerOptions {
  /** Number of processes. Default 10. */
  readonly jobs?: number | undefined;
  /** Number of tasks that one has at once. Default: one, and more the faster it answers. */
  readonly perWorker?: number | undefined;
  /** Runs the command with `sh -c`. Default: no shell. */
  readonly shell?: boolean | undefined;
  /** Working directory. Default: that of this process. */
  readonly cwd?: string | undefined;
  /** Variables to pass on from `environment`: `NAME`, `NAME=VALUE`, or `AWS_*`. */
  readonly env?: readonly string[] | undefined;
  /** Environment of this process. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Longest answer, in bytes. Default 16 MiB. */
  readonly maxOutput?: number | undefined;
  /** Failures to retry, made by `toRetryOn`. Default: tasks whose worker died. */
  readonly retryOn?: RetryOn | undefined;
  /** Longest time for one task, in milliseconds. Default 1 h. */
  readonly timeout?: number | undefined;
  /** Time that workers have to end when there are no more tasks, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Called with the stderr of workers, line by line. Default: it is dropped. */
  readonly tell?: ((line: string) => void) | undefined;
  /** Called with hints. Default: they are dropped. */
  readonly note?: ((message: string) => void) | undefined;
  /** Aborted when the stage is asked to stop: tasks of workers that die then are unfinished, not failed. */
  readonly stopping?: AbortSignal | undefined;
}

type WorkerOptionTable = { readonly perWorker: Option<number | undefined> };

/** Help of `--worker`, after its options. */
export const workerHelp: string = [
  'The stage starts -j programs and keeps them running. Each program reads and writes lines of JSON:',
  '  stdin\tone record a line; the number of the program, from 1, is in TASK_WORKER_NUMBER',
  '  stdout\tone line for each record, in any order: {"uuid","result"}, or {"uuid","error":{"code","message","retry"}}; flush after each line',
  '  stderr\tshown with the number of the program',
  'CMD has no placeholders: everything that differs from task to task is in the record.',
].join('\n');

/** Options of `--worker` alone. */
export const workerOptions: WorkerOptionTable = {
  perWorker: count('tasks that a worker has at once; default: one, and more the faster it answers', {
    details:
      'A fast worker would otherwise wait for its next task most of the time. Set 1 if tasks must not wait behind a slow one.',
  }),
};

type Given = OptionValues<typeof processOptions & WorkerOptionTable> & {
  readonly jobs: number;
  readonly grace: number;
};

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(values: Given, setting: Setting): WorkerOptions {
  const { timeout, env: environment, tell, note, stopping } = setting;
  return { ...values, timeout, environment, tell, note, stopping };
}
