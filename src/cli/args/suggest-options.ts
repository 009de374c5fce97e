import { commands } from '../../commands/index.ts';
import { TaskpipeError } from '../../core/base/errors.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import type { Command } from '../../core/options/command.ts';
import { kebab, type Options, optionName } from '../../core/options/option.ts';
import { nearest } from '../../core/options/suggest.ts';

/** Command line in which an unknown name was found. */
export interface SuggestContext {
  readonly command: Command;
  /** Options of the command, the common ones included. */
  readonly table: Options;
  /** Kinds of work that were asked for. Suggestions fit them. */
  readonly kinds: readonly string[];
}

/** Returns the error for an unknown option, with the option that was probably meant. */
export async function unknownOption(typed: string, context: SuggestContext): Promise<TaskpipeError> {
  const name = typed.replace(/^-+/, '');
  const owner = await ownerOf(name, context.command);
  if (owner !== undefined)
    return new TaskpipeError('USAGE', `--${name} is an option of ${owner}, not of ${context.command.name}`);
  return unknown(typed, name, context);
}

/** Returns the error for an unknown key of a configuration file; undefined if another command has this option. */
export async function unknownKey(
  name: string,
  file: string,
  context: SuggestContext,
): Promise<TaskpipeError | undefined> {
  if ((await ownerOf(name, context.command)) !== undefined) return undefined;
  return unknown(`${quoted(name)} in ${file}`, name, context);
}

function unknown(shown: string, name: string, context: SuggestContext): TaskpipeError {
  return new TaskpipeError(
    'USAGE',
    `unknown option ${shown}${hintFor(name, context)} (--help lists all options)`,
  );
}

/**
 * Returns a hint with the nearest option. If that option belongs to another kind of work, the hint says so,
 * because the option would be an error here.
 */
function hintFor(name: string, { command, table, kinds }: SuggestContext): string {
  const { kindsOf = {} } = command;
  const usersOf = (key: string): readonly string[] | undefined =>
    command.kinds?.includes(key) ? [key] : kindsOf[key];
  const fits = (key: string): boolean =>
    kinds.length === 0 || (usersOf(key)?.some((kind) => kinds.includes(kind)) ?? true);
  const meant = nearestOption(name, table, fits);
  if (meant !== undefined) return `; did you mean --${meant}?`;
  const other = nearestOption(name, table, (key) => kindsOf[key] !== undefined && !fits(key));
  if (other === undefined) return '';
  const users = Object.entries(kindsOf).find(([key]) => kebab(key) === other)?.[1] ?? [];
  return `; --${other} is an option of ${users.map(optionName).join(' and ')}`;
}

function nearestOption(name: string, table: Options, fits: (key: string) => boolean): string | undefined {
  const names = Object.entries(table).flatMap(([key, { alias = [] }]) =>
    fits(key) ? [kebab(key), ...alias.filter((one) => one.length > 1)] : [],
  );
  return nearest(kebab(name), names);
}

/** Returns the name of another command that has this option. */
async function ownerOf(name: string, command: Command): Promise<string | undefined> {
  for (const [other, get] of Object.entries(commands)) {
    if (other === command.name) continue;
    const { options } = await get();
    if (Object.keys(options).some((key) => key === name || kebab(key) === name)) return other;
  }
  return undefined;
}

/**
 * Refuses an option that the requested kind of work does not use. Only options of the command line are checked:
 * the environment and `--config` serve a whole pipeline.
 * @param typed keys of the options that were typed
 * @throws {TaskpipeError} `USAGE`, with the kinds that use the option
 */
export function checkKinds(
  { kindsOf = {} }: Command,
  typed: Iterable<string>,
  kinds: readonly string[],
): void {
  if (kinds.length !== 1) return; // the command itself reports none or two
  for (const key of typed) {
    const users = kindsOf[key];
    if (users === undefined || users.some((kind) => kinds.includes(kind))) continue;
    throw new TaskpipeError(
      'USAGE',
      `${optionName(key)} is an option of ${users.map(optionName).join(' and ')}; it does nothing with ${kinds.map(optionName)}`,
    );
  }
}
