import { choice, type Option, type OptionValues } from '../../core/options/option.ts';
import type { Setting } from '../contract.ts';
import type { processOptions } from '../program/options.ts';
import type { RetryOn } from '../program/retry-on.ts';

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

/** Help of `--command`, after its options. */
export const commandHelp: string = [
  'The program runs once for each task, without a shell. It gets:',
  '  {name}\tin CMD: the attribute "name" of the record, always inside one argument; {{ and }} are braces themselves',
  '  stdin\tthe record, as one line of JSON',
  '  TASK_UUID\tthe uuid of the record, as a variable',
  '  TASK_name\twith --shell, the attribute "name" as a variable; {name} is not replaced: write "$TASK_name"',
  'The result is {"exit","stdout","stderr"}. An exit code other than 0 makes the task fail.',
].join('\n');

/** Options of `--command` alone. */
export const commandOptions: CommandOptionTable = {
  output: choice('form of standard output; json is kept as "json" instead of "stdout"', ['text', 'json'], {
    default: 'text',
    details: 'With json, a task whose output is not JSON fails with OUTPUT_JSON.',
  }),
};

type Given = OptionValues<typeof processOptions & CommandOptionTable>;

/** What the options' values say, with what the stage and the process add. */
export function fromValues(values: Given, { timeout, env: environment }: Setting): CommandOptions {
  return { ...values, timeout, environment };
}
