import { choice, type Option, type Values } from '../../core/option.ts';
import type { Setting } from '../executor.ts';
import type { processOptions } from '../process/options.ts';
import type { RetryOn } from '../process/retry.ts';

/** What becomes of the standard output of a command. */
export type OutputMode = 'text' | 'json';

/** What the executor for commands can be told. */
export interface CommandOptions {
  /** Runs the command by `sh -c`; values come as variables. Default: no shell. */
  readonly shell?: boolean | undefined;
  /** The folder it runs in. Default: ours. */
  readonly cwd?: string | undefined;
  /** Variables that it gets of `environment`: `NAME`, `NAME=VALUE`, or `AWS_*`. */
  readonly env?: readonly string[] | undefined;
  /** Ours. Default: empty; without `PATH` in it programs are looked for in the usual places. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `text`. */
  readonly output?: OutputMode | undefined;
  /** The most bytes on both outputs. Default 16 MiB. */
  readonly maxOutput?: number | undefined;
  /** What is tried again, as `toRetryOn` makes it. Default: exit code 75. */
  readonly retryOn?: RetryOn | undefined;
  /** For each attempt, in milliseconds. Default 1 h. */
  readonly timeout?: number | undefined;
}

type CommandOptionTable = { readonly output: Option<OutputMode> };

/** The options that belong to `--command` alone. */
export const commandOptions: CommandOptionTable = {
  output: choice(
    'what its standard output is; json is kept as "json" in place of "stdout"',
    ['text', 'json'],
    {
      default: 'text',
    },
  ),
};

type Given = Values<typeof processOptions & CommandOptionTable>;

/** What the options' values say, with what the stage and the process add. */
export function fromValues(values: Given, { timeout, env: environment }: Setting): CommandOptions {
  return { ...values, timeout, environment };
}
