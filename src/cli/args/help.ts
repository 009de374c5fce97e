import yargs, { type Options as YargsOptions } from 'yargs';
import type { Command } from '../../core/options/command.ts';
import { kebab, type Option, type Options, optionName } from '../../core/options/option.ts';
import { EXITS } from '../exits.ts';
import { COMMON } from './parse-args.ts';

/** Options under a heading, which ends in a colon. */
export interface Group {
  readonly heading: string;
  readonly options: Options;
}

/** Returns all options of a command in the order of the manual: kinds, options of all kinds, of one kind, common. */
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

/** Returns the description of an option with its default. */
export function wordsOf({ description, defaultText }: Option<unknown>): string {
  return defaultText === undefined ? description : `${description} (default: ${defaultText})`;
}

/**
 * Returns the help text of a command, or of one kind of its work.
 * @param columns width of the terminal
 * @param asked kinds on the command line; if there is exactly one, the text covers only that kind
 */
export async function helpFor(
  command: Command,
  columns: number,
  asked: readonly string[] = [],
): Promise<string> {
  const { name, summary, usage, about, verbs = {}, examples } = command;
  const [kind, another] = asked;
  if (kind !== undefined && another === undefined) return kindHelpFor(command, kind, columns);
  return render({
    name,
    width: columns,
    usage: `${summary}\n\nUsage: ${name} ${usage}\n\n${about}`,
    verbs,
    groups: groupsOf(command),
    examples,
  });
}

/** Returns the help of one kind: how it uses a record, the options that it uses, and its examples. */
async function kindHelpFor(command: Command, kind: string, columns: number): Promise<string> {
  const { name, options, kindHelp = {}, examples } = command;
  const { description, placeholder } = options[kind] as Option<unknown>;
  const typed = placeholder === undefined ? optionName(kind) : `${optionName(kind)} ${placeholder}`;
  return render({
    name,
    width: columns,
    usage: `Usage: ${name} ${typed} [options]\n\n${optionName(kind)}: ${description}.`,
    intro: `Input and result:\n${(kindHelp[kind] ?? '').replaceAll('\t', '  \t')}\n\n`,
    verbs: {},
    groups: groupsOf(command).flatMap((group) => groupOfKind(group, command, kind)),
    examples: examples.filter(([line]) => line.includes(`${optionName(kind)} `)),
    more: `Other kinds of work: ${name} --help.`,
  });
}

/** Returns a group without the options that the kind does not use; an empty list if none is left. */
function groupOfKind({ heading, options }: Group, command: Command, kind: string): readonly Group[] {
  const { kinds = [], kindsOf = {} } = command;
  const used = Object.entries(options).filter(
    ([key]) => !kinds.includes(key) && (kindsOf[key]?.includes(kind) ?? true),
  );
  return used.length === 0 ? [] : [{ heading, options: Object.fromEntries(used) }];
}

interface Text extends Required<Pick<Command, 'name' | 'usage' | 'verbs' | 'examples'>> {
  readonly width: number;
  /** Text before the examples; a tab aligns a column. */
  readonly intro?: string;
  readonly groups: readonly Group[];
  /** Last line before the manual pages. */
  readonly more?: string;
}

async function render({
  name,
  width,
  usage,
  intro = '',
  verbs,
  groups,
  examples,
  more,
}: Text): Promise<string> {
  const shown = examples.map(([line, words]) => `  ${line}\n      ${words}`).join('\n');
  const parser = yargs().scriptName(name).help(false).version(false);
  parser.usage(usage).updateStrings({ 'Commands:': 'Verbs:' });
  for (const [verb, words] of Object.entries(verbs)) parser.command(verb, words);
  for (const { heading, options } of groups) parser.options(forYargs(heading, options));
  parser.epilogue(`${intro}Examples:\n${shown}\n\n${closing(name, more)}`).wrap(Math.min(width, 120));
  return `${(await parser.getHelp()).replace(/ +\[boolean\]$/gm, '')}\n`;
}

/** Converts options for yargs. The name of an option is followed by the placeholder of its value. */
function forYargs(group: string, options: Options): Record<string, YargsOptions> {
  const entries = Object.entries(options).map(([key, option]): [string, YargsOptions] => {
    const name = option.placeholder === undefined ? kebab(key) : `${kebab(key)} ${option.placeholder}`;
    const alias = option.alias === undefined ? {} : { alias: [...option.alias] };
    // yargs writes an alias such as -0 with two dashes, except for flags.
    const isDigit = option.alias?.some((one) => /^\d$/.test(one)) === true;
    return [name, { description: wordsOf(option), group, ...alias, boolean: isDigit }];
  });
  return Object.fromEntries(entries);
}

function closing(name: string, more: string | undefined): string {
  const codes = EXITS.map(([codes, words]) => `  ${codes.join(', ').padEnd(9)} ${words}`);
  return `Every option is also an environment variable: TASK_ and its name, as in TASK_LEDGER=done.jsonl.

Exit codes:
${codes.join('\n')}

${more === undefined ? '' : `${more}\n`}More: man ${name}, man taskpipe.`;
}
