import { choice, duration, flag, type Option, type OptionValues, value } from '../../core/options/option.ts';
import { compileTemplate } from '../../core/record/template.ts';
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
  /** Shows the output of commands while they run, line by line. */
  readonly live?: boolean | undefined;
  /** Text before each shown line, such as `{file}`; shows the output, too. Default `{uuid}`. */
  readonly tag?: string | undefined;
  /** Files for outputs, such as `out/{uuid}` and `out/{uuid}.err`. Default: outputs are in the result. */
  readonly results?: string | undefined;
  /** Writes a line to stderr. Default: it is dropped. */
  readonly tell?: ((line: string) => void) | undefined;
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

type CommandOptionTable = {
  readonly output: Option<OutputMode>;
  readonly live: Option<boolean>;
  readonly tag: Option<string | undefined>;
  readonly results: Option<string | undefined>;
  readonly linger: Option<number>;
};

/** Checks a template early. @throws {InvalidValue} */
function toTemplate(typed: string): string {
  compileTemplate(typed);
  return typed;
}

/** Help of `--command`, after its options. */
export const commandHelp: string = [
  'The program runs once for each task, without a shell. It gets:',
  '  {name}\tin CMD: the attribute "name" of the record, always inside one argument; {{ and }} are braces themselves',
  '  {name.} {name/}\tparts of a path: without its ending, the base name; {name//} is the folder, {name/.} the base name without its ending',
  '  {#} {%}\tnumber of the task, and its lane from 1 to -j; also TASK_NUMBER and TASK_SLOT',
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
  live: flag('show the output of commands on stderr while they run, each line with its task'),
  tag: value('like --live, with this text before each line; {field} is an attribute', 'TEXT', toTemplate, {
    details: 'Without --tag, the uuid is before each line.',
  }),
  results: value(
    'write stdout of each command to this file, and stderr to FILE.err, as in out/{uuid}',
    'FILE',
    toTemplate,
    {
      details:
        'The output goes to the files directly, so it needs no memory, and --max-output does not apply. The result then has stdout_file and stderr_file. A slash in a value is written as %2F. Each task needs a name of its own.',
    },
  ),
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
  const { timeout, timeoutPercent, env: environment, stopping, note, tell } = setting;
  return { ...values, timeout, timeoutPercent, environment, stopping, note, tell };
}
