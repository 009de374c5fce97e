import { choice } from '../../core/options/declare.ts';
import type { LibraryOptions } from '../../core/options/library-options.ts';
import type { OptionValues } from '../../core/options/option.ts';
import type { Setting } from '../contract.ts';
import type { OwnProcessOptions, processOptions } from '../program/options.ts';

/** Form in which the standard output of a command is kept. */
export type OutputMode = 'text' | 'json';

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
export const commandOptions = {
  /** Form in which standard output is kept. Default `text`. */
  output: choice('form of standard output; json is kept as "json" instead of "stdout"', ['text', 'json'], {
    default: 'text',
    details: 'With json, a task whose output is not JSON fails with OUTPUT_JSON.',
  }),
};

type CommandTable = typeof processOptions & typeof commandOptions;

/** Options of the executor for commands. */
export type CommandOptions = LibraryOptions<CommandTable, OwnProcessOptions>;

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(
  values: OptionValues<CommandTable>,
  { timeout, env: environment }: Setting,
): CommandOptions {
  return { ...values, timeout, environment };
}
