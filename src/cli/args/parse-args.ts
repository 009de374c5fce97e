import { existsSync } from 'node:fs';
import { commands } from '../../commands/index.ts';
import { TaskpipeError } from '../../core/base/errors.ts';
import type { Command } from '../../core/options/command.ts';
import { choice, flag, path } from '../../core/options/declare.ts';
import { kebab, type Option, type Options, optionName, parseOption } from '../../core/options/option.ts';
import { nearest } from '../../core/options/suggest.ts';
import { PROGRESS_MODES } from '../progress/progress-text.ts';
import { readConfig } from './config-file.ts';
import { type Flags, parseFlags } from './flags.ts';
import { checkKinds, type SuggestContext, unknownKey, unknownOption } from './suggest-options.ts';

/** Shells with completion. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type ShellName = (typeof SHELLS)[number];

/** Options of every command. */
export const COMMON: Options = {
  config: path(
    'read options from this file: JSON such as {"jobs": 20}, or lines such as jobs=20; options and environment override it',
  ),
  quiet: flag('write only errors to stderr'),
  progress: choice(
    'auto: one line on a terminal, drawn by the last stage; plain: a line every 10 s, for logs; none',
    PROGRESS_MODES,
    { default: 'auto', placeholder: 'MODE' },
  ),
  noProgress: flag('same as --progress none'),
  completion: choice('print the completion script for all commands: eval "$(… --completion bash)"', SHELLS),
  help: flag('show this help (also -h)'),
  version: flag('show the version'),
};

/** Parsed command line. */
export interface Arguments {
  readonly values: Readonly<Record<string, unknown>>;
  readonly operands: readonly string[];
  /** Keys of the options on the command line. */
  readonly typed: ReadonlySet<string>;
  /** Kinds of work that were asked for: options of `Command.kinds`. */
  readonly kinds: readonly string[];
  /** Warnings about variables that are probably misspelt, and a note about a file that was read by default. */
  readonly doubts: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses a command line. An option overrides its environment variable, which overrides `--config`.
 * @throws {TaskpipeError} `USAGE`, with option, rule and value
 */
export async function parseArguments(
  command: Command,
  argv: readonly string[],
  env: Environment,
): Promise<Arguments> {
  const table: Options = { ...command.options, ...COMMON };
  const flags = parseFlags(table, argv);
  const kinds = kindsIn(command, flags, argv);
  if (asksForHelp(argv)) return { values: { help: true }, operands: [], typed: new Set(), kinds, doubts: [] };
  const context = { command, table, kinds: kinds.length > 0 ? kinds : kindsInEnvironment(command, env) };
  await checkFlags(flags, context);
  const values = valuesOf(table, flags, env);
  const doubts = await doubtsOf(table, env);
  if (typeof values.config === 'string') await addConfig(values, values.config, context);
  else doubts.push(...(await addDefaultConfig(values, flags.operands, context)));
  for (const [key, option] of Object.entries(table)) {
    if (!(key in values)) values[key] = option.defaultValue;
  }
  checkKinds(command, flags.texts.keys(), givenKinds(command, values));
  const typed = new Set(flags.texts.keys());
  return { values, operands: flags.operands, typed, kinds, doubts };
}

/**
 * Returns whether help is asked for, whatever else is on the line, also if `--help` stands where a value is
 * missing.
 */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end < 0 ? undefined : end).some((word) => word === '--help' || word === '-h');
}

/** Returns the kinds on the command line, also those that lack their value. */
function kindsIn({ kinds = [] }: Command, { texts, incomplete }: Flags, argv: readonly string[]): string[] {
  const typed = kinds.filter((kind) => texts.has(kind) || incomplete.includes(optionName(kind)));
  return typed.length > 0 ? typed : kinds.filter((kind) => argv.includes(kind)); // `task-exec http --help`
}

function kindsInEnvironment({ kinds = [], options }: Command, env: Environment): string[] {
  return kinds.filter((kind) => (env[variableOf(kind, options[kind] as Option<unknown>)] ?? '') !== '');
}

function givenKinds({ kinds = [] }: Command, values: Readonly<Record<string, unknown>>): string[] {
  return kinds.filter((kind) => values[kind] === true || typeof values[kind] === 'string');
}

async function checkFlags({ unknown, incomplete }: Flags, context: SuggestContext): Promise<void> {
  const [strange] = unknown;
  if (strange !== undefined) throw await unknownOption(strange, context);
  const [name] = incomplete;
  if (name === undefined) return;
  const rule = `needs a value; a value that begins with a dash is written ${name}=VALUE`;
  throw new TaskpipeError('USAGE', `${name} ${rule}`);
}

function valuesOf(table: Options, { texts }: Flags, env: Environment): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) {
    const variable = variableOf(key, option);
    const typed = texts.get(key);
    const set = env[variable];
    if (typed !== undefined) values[key] = combine(option, typed, optionName(key));
    else if (set !== undefined && (set !== '' || option.allowsEmpty === true))
      values[key] = combine(option, [set], variable);
  }
  return values;
}

/** Adds options of the file that are not set yet. Options of other commands in it are ignored. */
async function addConfig(
  values: Record<string, unknown>,
  file: string,
  context: SuggestContext,
): Promise<void> {
  const { table } = context;
  const keys = new Map(
    Object.keys(table).flatMap((key) => [
      [kebab(key), key],
      [key, key],
    ]),
  );
  for (const { name, texts, isArray } of readConfig(file)) {
    const key = keys.get(name);
    if (key === undefined) {
      const error = await unknownKey(name, file, context);
      if (error !== undefined) throw error;
    } else if (!(key in values)) {
      const option = table[key] as Option<unknown>;
      const from = `"${name}" in ${file}`;
      if (texts === undefined) throw new TaskpipeError('USAGE', `${from} must have a value; got null`);
      // An element of an array is one name, whatever characters it has.
      const { quote = (element: string) => element } = option;
      values[key] = combine(option, isArray ? texts.map(quote) : texts, from);
    }
  }
}

/**
 * Adds the options of the file that a command reads by default. Returns a line about the file if it was read.
 */
async function addDefaultConfig(
  values: Record<string, unknown>,
  operands: readonly string[],
  context: SuggestContext,
): Promise<string[]> {
  const { defaultConfig } = context.command;
  if (defaultConfig === undefined || !defaultConfig.isNeeded(values, operands)) return [];
  const { file, mark } = defaultConfig;
  if (!existsSync(file) || !readConfig(file).some(({ name }) => name === mark)) return [];
  await addConfig(values, file, context);
  return [`options from ${file}, as --config ${file} would read them`];
}

/** Returns all values of an option that may be repeated, else the last one. */
function combine(option: Option<unknown>, texts: readonly string[], from: string): unknown {
  const parsed = texts.map((text) => parseOption(option, text, from));
  return option.many ? parsed.flat() : parsed.at(-1);
}

/** Returns the environment variable of an option. */
export function variableOf(key: string, option: Option<unknown>): string {
  return option.env ?? `TASK_${kebab(key).toUpperCase().replaceAll('-', '_')}`;
}

function variablesOf(table: Options): string[] {
  return Object.entries(table).map(([key, option]) => variableOf(key, option));
}

/** Returns warnings about `TASK_` variables that no command reads and that resemble one that is read. */
async function doubtsOf(table: Options, env: Environment): Promise<string[]> {
  const own = variablesOf(table);
  const strange = Object.keys(env).filter((name) => name.startsWith('TASK_') && !own.includes(name));
  if (strange.length === 0) return [];
  const all = [...own];
  for (const get of Object.values(commands)) all.push(...variablesOf((await get()).options));
  const bare = all.map((name) => name.replace(/^TASK_/, ''));
  return strange.flatMap((name) => {
    const near = all.includes(name) ? undefined : nearest(name.replace(/^TASK_/, ''), bare);
    if (near === undefined) return [];
    return [`no option reads the variable ${name}; did you mean ${all[bare.indexOf(near)]}?`];
  });
}
