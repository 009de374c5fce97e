import { readFileSync } from 'node:fs';
import yargsParser, { type Options as YargsParserOptions } from 'yargs-parser';
import { commands } from '../commands/index.ts';
import type { Command } from '../core/command.ts';
import { ioError, jsonFault, TaskpipeError } from '../core/errors.ts';
import { nearest } from '../core/near.ts';
import {
  choice,
  flag,
  kebab,
  type Option,
  type Options,
  optionName,
  parseOption,
  path,
} from '../core/option.ts';
import { quoted } from '../core/visible.ts';
import { checkKinds } from './kinds.ts';
import { PROGRESS_MODES } from './progress.ts';

/** The shells that there is completion for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What every command takes. */
export const COMMON: Options = {
  config: path(
    'read options from a file: JSON, as in {"jobs": 20}, or lines, as in jobs=20; flags and environment beat it',
  ),
  quiet: flag('say nothing on stderr but errors'),
  progress: choice(
    'auto, a line on a terminal, by the last stage; plain, a line every 10 s, for a log; or none',
    PROGRESS_MODES,
    { default: 'auto', placeholder: 'MODE' },
  ),
  noProgress: flag('the same as --progress none'),
  completion: choice(
    'print what completes all the commands in a shell: eval "$(… --completion bash)"',
    SHELLS,
  ),
  help: flag('show this help'),
  version: flag('show the version'),
};

/** A parsed command line. */
export interface Arguments {
  readonly values: Readonly<Record<string, unknown>>;
  readonly operands: readonly string[];
  /** Keys of the options that stood on the command line. */
  readonly typed: ReadonlySet<string>;
  /** What may be meant otherwise, for a person. */
  readonly doubts: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses a command line: a flag beats the environment (`TASK_` and the name), which beats `--config`.
 * @throws {TaskpipeError} `USAGE`, naming the option, the rule and the value
 */
export async function parseArguments(
  command: Command,
  argv: readonly string[],
  env: Environment,
): Promise<Arguments> {
  const table: Options = { ...command.options, ...COMMON };
  const typed = await parseFlags(command, table, argv);
  const values: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table)) {
    const name = optionName(key);
    const variable = variableOf(key, option);
    const given = typed.flags.get(key);
    if (given !== undefined) values[key] = combine(option, given, name);
    else if (env[variable] !== undefined && (env[variable] !== '' || option.allowsEmpty === true))
      values[key] = combine(option, [env[variable]], variable);
  }
  if (typeof values.config === 'string') await addConfig(values, table, values.config, command);
  for (const [key, option] of Object.entries(table)) {
    if (!(key in values)) values[key] = option.fallback;
  }
  if (values.help !== true) checkKinds(command, [...typed.flags.keys()], values);
  const keys = new Set(typed.flags.keys());
  return { values, operands: typed.operands, typed: keys, doubts: await doubtsOf(table, env) };
}

/** Variables that name no option of any command, but nearly do. */
async function doubtsOf(table: Options, env: Environment): Promise<string[]> {
  const own = variablesOf(table);
  const strange = Object.keys(env).filter((name) => name.startsWith('TASK_') && !own.includes(name));
  if (strange.length === 0) return [];
  const all = [...own];
  for (const get of Object.values(commands)) all.push(...variablesOf((await get()).options));
  return strange.flatMap((name) => {
    const near = all.includes(name) ? undefined : nearest(name, all, 2);
    return near === undefined ? [] : [`no option reads the variable ${name}; did you mean ${near}?`];
  });
}

function variablesOf(table: Options): string[] {
  return Object.entries(table).map(([key, option]) => variableOf(key, option));
}

/** The environment variable of an option. */
export function variableOf(key: string, option: Option<unknown>): string {
  return option.env ?? `TASK_${kebab(key).toUpperCase().replaceAll('-', '_')}`;
}

/** The value of an option that was given once or more often: all of them, or the last. */
function combine(option: Option<unknown>, texts: readonly string[], from: string): unknown {
  const parsed = texts.map((text) => parseOption(option, text, from));
  return option.many ? parsed.flat() : parsed.at(-1);
}

interface Typed {
  readonly flags: ReadonlyMap<string, string[]>;
  readonly operands: readonly string[];
}

async function parseFlags(command: Command, table: Options, argv: readonly string[]): Promise<Typed> {
  // The parser of yargs without yargs: that takes as long to load as all the rest of a stage.
  const { argv: parsed, error } = yargsParser.detailed([...argv], {
    ...forParser(table),
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'short-option-groups': true,
      'strip-aliased': true,
    },
  });
  if (error !== null) throw new TaskpipeError('USAGE', inOurWords(error.message));
  const keys = new Map(Object.keys(table).map((key) => [kebab(key), key]));
  const flags = new Map<string, string[]>();
  for (const [name, given] of Object.entries(parsed)) {
    if (name === '_' || given === undefined) continue;
    const key = keys.get(name);
    if (key === undefined) {
      const other = await ownerOf(name, command);
      if (other !== undefined)
        throw new TaskpipeError('USAGE', `--${name} is an option of ${other}, not of ${command.name}`);
      throw unknownOption(name.length === 1 ? `-${name}` : `--${name}`, name, table);
    }
    flags.set(key, [given].flat().map(String));
  }
  // The parser takes whatever follows the = of a flag for false.
  for (const word of argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined)) {
    const [, name = '', text = ''] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    const key = keys.get(name);
    if (key !== undefined && table[key]?.placeholder === undefined) flags.set(key, [text]);
  }
  return { flags, operands: parsed._.map(String) };
}

/** What the parser says of an option without its value; all else it finds is found by us. */
function inOurWords(failure: string): string {
  const [, name] = /^Not enough arguments following: (\S+)/.exec(failure) ?? [];
  if (name === undefined) return failure;
  const dashes = name.length === 1 ? '-' : '--';
  return `${dashes}${name} needs a value; one that begins with a dash is given as ${dashes}${name}=VALUE`;
}

function forParser(table: Options): YargsParserOptions {
  const boolean: string[] = [];
  const string: string[] = [];
  const alias: Record<string, string[]> = {};
  for (const [key, option] of Object.entries(table)) {
    const name = kebab(key);
    (option.placeholder === undefined ? boolean : string).push(name);
    if (option.alias !== undefined) alias[name] = [...option.alias];
  }
  return { boolean, string, alias, narg: Object.fromEntries(string.map((name) => [name, 1])) };
}

/** @param shown what is unknown, for the message. @param name the same without what stands around it */
function unknownOption(shown: string, name: string, table: Options): TaskpipeError {
  const names = Object.entries(table).flatMap(([key, { alias = [] }]) => [kebab(key), ...alias]);
  const near = nearest(
    kebab(name),
    names.filter((other) => other.length > 1),
  );
  const hint = near === undefined ? '' : `; did you mean --${near}?`;
  return new TaskpipeError('USAGE', `unknown option ${shown}${hint} (--help lists them)`);
}

/** Adds what the config file says and nothing else did. Options of the other commands in it are passed over. */
async function addConfig(
  values: Record<string, unknown>,
  table: Options,
  file: string,
  command: Command,
): Promise<void> {
  let config: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    config = pairsIn(text) ?? JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new TaskpipeError('USAGE', `--config ${file}: not JSON: ${jsonFault(error)}`);
    throw ioError('cannot read --config', file, error);
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new TaskpipeError('USAGE', `--config ${file} must be a JSON object of options, as in {"jobs": 20}`);
  }
  const keys = new Map(
    Object.keys(table).flatMap((key) => [
      [kebab(key), key],
      [key, key],
    ]),
  );
  for (const [name, given] of Object.entries(config)) {
    const key = keys.get(name);
    if (key === undefined) {
      if ((await ownerOf(name, command)) === undefined)
        throw unknownOption(`${quoted(name)} in ${file}`, name, table);
    } else if (!(key in values)) {
      const option = table[key] as Option<unknown>;
      if ([given].flat().includes(null))
        throw new TaskpipeError('USAGE', `"${name}" in ${file} must have a value; got null`);
      values[key] = combine(option, textsOf(given, option), `"${name}" in ${file}`);
    }
  }
}

/** The options of a file with `name=value` lines and comments; undefined where it is no such file. */
function pairsIn(text: string): Record<string, string> | undefined {
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*(#.*)?$/.test(line));
  const pairs = lines.map((line) => /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line));
  if (lines.length === 0 || pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]));
}

/** Returns the texts to parse for a value in a config file. An element of an array is one name, whatever is in it. */
function textsOf(given: unknown, { quote = (element) => element }: Option<unknown>): string[] {
  return Array.isArray(given) ? given.map((element) => quote(asTyped(element))) : [asTyped(given)];
}

function asTyped(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Another command that has an option of that name. */
async function ownerOf(name: string, command: Command): Promise<string | undefined> {
  for (const [other, get] of Object.entries(commands)) {
    if (other === command.name) continue;
    const { options } = await get();
    if (Object.keys(options).some((key) => key === name || kebab(key) === name)) return other;
  }
  return undefined;
}
