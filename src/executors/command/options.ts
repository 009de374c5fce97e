import { choice, duration, flag, value } from '../../core/options/declare.ts';
import type { LibraryOptions } from '../../core/options/library-options.ts';
import type { OptionValues } from '../../core/options/option.ts';
import { compileTemplate } from '../../core/record/template.ts';
import type { Setting } from '../contract.ts';
import type { BatchNames } from '../program/batch-words.ts';
import type { OwnProcessOptions, processOptions } from '../program/options.ts';

/** Form in which the standard output of a command is kept. */
export type OutputMode = 'text' | 'json';

/** Default of `--linger`, in milliseconds. */
export const LINGER = 2000;

/** Help of `--command`, after its options. */
export const commandHelp: string = [
  'The program runs once for each task, without a shell. It gets:',
  '  {name}\tin CMD: the attribute "name" of the record, always inside one argument; {{ and }} are braces themselves',
  '  {name.} {name/}\tparts of a path: without its ending, the base name; {name//} is the folder, {name/.} the base name without its ending',
  '  {name}\tis the bytes of name_base64 if there is no name: the name of a file that is not UTF-8',
  '  {#} {%}\tnumber of the task, and its slot from 1 to -j; also TASK_NUMBER and TASK_SLOT',
  '  stdin\tthe record, as one line of JSON',
  '  {name...}\twith --batch: the attribute of all tasks of the batch; the argument is repeated for each',
  '  TASK_UUID\tthe uuid of the record, as a variable',
  '  TASK_name\twith --shell, the attribute "name" as a variable; {name} is not replaced: write "$TASK_name"',
  'The result is {"exit","stdout","stderr"}. An exit code other than 0 makes the task fail.',
  'With --batch, stdin has a record a line, TASK_BATCH_SIZE is their number, and the output has a line for each task, or none.',
].join('\n');

/** Options of `--command` alone. */
export const commandOptions = {
  /** Form in which standard output is kept. Default `text`. */
  output: choice('form of standard output; json is kept as "json" instead of "stdout"', ['text', 'json'], {
    default: 'text',
    details: 'With json, a task whose output is not JSON fails with OUTPUT_JSON.',
  }),
  /** True to show the output of commands with `print` while they run, line by line. */
  live: flag('show the output of commands on stderr while they run, each line with its task'),
  /** Text before each shown line, such as `{file}`; implies `live`. Default `{uuid}`. */
  tag: value('like --live, with this text before each line; {field} is an attribute', 'TEXT', toTemplate, {
    details: 'Without --tag, the uuid is before each line.',
  }),
  /** Files for outputs, such as `out/{uuid}` (and `out/{uuid}.err`). Default: outputs are in the result. */
  results: value(
    'write stdout of each command to this file, and stderr to FILE.err, as in out/{uuid}',
    'FILE',
    toTemplate,
    {
      details:
        'The output goes to the files directly, so it needs no memory, and --max-output does not apply. The result then has stdout_file and stderr_file. A slash in a value is written as %2F. Each task needs its own name.',
    },
  ),
  /**
   * Silence after which a command that has exited counts as ended even if a background process holds its output open,
   * in milliseconds. Default 2 s.
   */
  linger: duration('how long to wait for output that a background process of a finished command holds open', {
    default: LINGER,
    defaultText: '2s',
    min: 1,
    details:
      'After so much silence, the command counts as finished by its exit code, with a warning. Redirect the output of a background process to keep it apart.',
  }),
};

/** Checks a template early. @throws {InvalidValue} */
function toTemplate(typed: string): string {
  compileTemplate(typed);
  return typed;
}

/** Options of `command()` that `--command` does not have, or that belong to the stage. */
interface OwnCommandOptions extends OwnProcessOptions, BatchNames {
  /** Timeout as a percentage of the median time of successes, once there are three. Default: none. */
  readonly timeoutPercent?: number | undefined;
  /** Signal to stop the stage. Commands that the same signal ends are unfinished, not failed. */
  readonly stopping?: AbortSignal | undefined;
  /** Called with the lines of `live`. Default: they are dropped. */
  readonly print?: ((line: string) => void) | undefined;
  /** Called with warnings. Default: they are dropped. */
  readonly info?: ((message: string) => void) | undefined;
}

type CommandTable = typeof processOptions & typeof commandOptions;

/** Options of the executor for commands. */
export type CommandOptions = LibraryOptions<CommandTable, OwnCommandOptions>;

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(
  values: OptionValues<CommandTable>,
  { env: environment, timeout, timeoutPercent, stopping, print, info }: Setting,
): CommandOptions {
  return { ...values, environment, timeout, timeoutPercent, stopping, print, info };
}
