import yargs, { type Options as YargsOptions } from 'yargs';
import type { Command } from '../core/command.ts';
import { kebab, type Option, type Options } from '../core/option.ts';
import { COMMON } from './args.ts';
import { EXITS } from './exits.ts';

/** Options under a heading, which ends in a colon. */
export interface Group {
  readonly heading: string;
  readonly options: Options;
}

/** All options of a command in the order of the manual: those that say what is done, all kinds', one kind's, common. */
export function groupsOf({ options, kinds = [], groups = {} }: Command): readonly Group[] {
  const pick = (keys: readonly string[]): Options =>
    Object.fromEntries(keys.map((key) => [key, options[key] as Option<unknown>]));
  const grouped = [...kinds, ...Object.values(groups).flat()];
  const others = Object.keys(options).filter((key) => !grouped.includes(key));
  return [
    ...(kinds.length === 0 ? [] : [{ heading: 'KIND is one of:', options: pick(kinds) }]),
    { heading: 'Options:', options: pick(others) },
    ...Object.entries(groups).map(([heading, keys]) => ({ heading, options: pick(keys) })),
    { heading: 'Common options:', options: COMMON },
  ];
}

/** What an option does, with its default. */
export function wordsOf({ words, shown }: Option<unknown>): string {
  return shown === undefined ? words : `${words} (default: ${shown})`;
}

/** The help text, no wider than `columns`. */
export async function helpFor(command: Command, columns: number): Promise<string> {
  const { name, summary, usage, about, verbs = {}, examples } = command;
  const shown = examples.map(([line, words]) => `  ${line}\n      ${words}`).join('\n');
  const parser = yargs().scriptName(name).help(false).version(false);
  parser.usage(`${summary}\n\nUsage: ${name} ${usage}\n\n${about}`).updateStrings({ 'Commands:': 'Verbs:' });
  for (const [verb, words] of Object.entries(verbs)) parser.command(verb, words);
  for (const { heading, options } of groupsOf(command)) parser.options(forYargs(heading, options));
  parser.epilogue(`Examples:\n${shown}\n\n${closing(name)}`).wrap(Math.min(columns, 120));
  return `${await parser.getHelp()}\n`;
}

/** An option's name is followed by what stands for its value. */
function forYargs(group: string, options: Options): Record<string, YargsOptions> {
  const entries = Object.entries(options).map(([key, option]): [string, YargsOptions] => {
    const name = option.placeholder === undefined ? kebab(key) : `${kebab(key)} ${option.placeholder}`;
    const alias = option.alias === undefined ? {} : { alias: [...option.alias] };
    return [name, { description: wordsOf(option), group, ...alias }];
  });
  return Object.fromEntries(entries);
}

function closing(name: string): string {
  const codes = EXITS.map(([codes, words]) => `  ${codes.join(', ').padEnd(9)} ${words}`);
  return `Every option is also an environment variable: TASK_ and its name, as in TASK_LEDGER=done.jsonl.

Exit codes:
${codes.join('\n')}

More: man ${name}, man taskpipe.`;
}
