import { count, type Option, type Values } from '../../core/option.ts';
import type { Setting } from '../executor.ts';
import type { processOptions } from '../process/options.ts';
import type { RetryOn } from '../process/retry.ts';

/** What the executor for workers can be told. */
export interface WorkerOptions {
  /** How many processes. Default 10. */
  readonly jobs?: number | undefined;
  /** How many tasks one has at once. Default: one, and more the quicker it answers. */
  readonly perWorker?: number | undefined;
  /** Runs the command by `sh -c`. Default: no shell. */
  readonly shell?: boolean | undefined;
  /** The folder they run in. Default: ours. */
  readonly cwd?: string | undefined;
  /** Variables that they get of `environment`: `NAME`, `NAME=VALUE`, or `AWS_*`. */
  readonly env?: readonly string[] | undefined;
  /** Ours. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** The longest answer, in bytes. Default 16 MiB. */
  readonly maxOutput?: number | undefined;
  /** What is tried again, as `toRetryOn` makes it. Default: tasks whose worker died. */
  readonly retryOn?: RetryOn | undefined;
  /** How long a worker may take for a task, in milliseconds. Default 1 h. */
  readonly timeout?: number | undefined;
  /** How long workers have to end when no more tasks come, in milliseconds. Default 10 s. */
  readonly grace?: number | undefined;
  /** Is given what workers write to their standard error, line by line. Default: nobody is. */
  readonly tell?: ((line: string) => void) | undefined;
}

type WorkerOptionTable = { readonly perWorker: Option<number | undefined> };

/** The options that belong to `--worker` alone. */
export const workerOptions: WorkerOptionTable = {
  perWorker: count('how many tasks a worker has at once; default: one, and more the quicker it answers'),
};

type Given = Values<typeof processOptions & WorkerOptionTable> & {
  readonly jobs: number;
  readonly grace: number;
};

/** What the options' values say, with what the stage and the process add. */
export function fromValues(values: Given, { timeout, env: environment, tell }: Setting): WorkerOptions {
  return { ...values, timeout, environment, tell };
}
