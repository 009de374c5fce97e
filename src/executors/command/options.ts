import { choice, duration, type Option, type OptionValues } from '../../core/options/option.ts';
import type { Setting } from '../contract.ts';
import type { processOptions } from '../program/options.ts';
import type { RetryOn } from '../program/retry-on.ts';

/** Form in which the standard output of a command is kept. */
export type OutputMode = 'text' | 'json';

/** Options of the executor for commands. */
export interface CommandOptions {
  /** Runs the command with `sh -c`; values are variables. Default: no shell. */
  readonly shell?: boolean | undefined;
  /** Working directory. Default: that of this process. */
  readonly cwd?: string | undefined;
  /** Variables to pass on from `environment`: `NAME`, `NAME=VALUE`, or `AWS_*`. */
  readonly env?: readonly string[] | undefined;
  /**
   * Environment of this process. Default: empty; without `PATH`, programs are looked up in the usual folders.
   */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default `text`. */
  readonly output?: OutputMode | undefined;
  /** Most bytes on both outputs together. Default 16 MiB. */
  readonly maxOutput?: number | undefined;
  /**
   * Silence after which a command that has exited is over although a background process holds its output open, in
   * milliseconds. Default 2 s.
   */
  readonly linger?: number | undefined;
  /** Failures to retry, made by `toRetryOn`. Default: exit code 75. */
  readonly retryOn?: RetryOn | undefined;
  /** Timeout of each attempt, in milliseconds. Default 1 h. */
  readonly timeout?: number | undefined;
  /** Timeout as a percentage of the median time of successes, once there are three. Default: none. */
  readonly timeoutPercent?: number | undefined;
  /** Aborted when the stage is asked to stop: commands that the same signal ends are unfinished, not failed. */
  readonly stopping?: AbortSignal | undefined;
  /** Called with warnings. Default: they are dropped. */
  readonly note?: ((message: string) => void) | undefined;
}

/** Default of `--linger`, in milliseconds. */
export const LINGER = 2000;

type CommandOptionTable = { readonly output: Option<OutputMode>; readonly linger: Option<number> };

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
  linger: duration('how long to wait for output that a background process of a finished command holds open', {
    default: LINGER,
    shown: '2s',
    min: 1,
    details:
      'After so much silence, the command counts as finished by its exit code, with a warning. Redirect the output of a background process to keep it apart.',
  }),
};

type Given = OptionValues<typeof processOptions & CommandOptionTable>;

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(values: Given, setting: Setting): CommandOptions {
  const { timeout, timeoutPercent, env: environment, stopping, note } = setting;
  return { ...values, timeout, timeoutPercent, environment, stopping, note };
}
