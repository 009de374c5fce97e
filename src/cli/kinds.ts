import type { Command } from '../core/command.ts';
import { TaskpipeError } from '../core/errors.ts';
import { optionName } from '../core/option.ts';

/**
 * An option that was typed must be of use to the kind of work that is asked for. What comes from the environment or a
 * file serves a whole pipeline, and is passed over where it is of none.
 * @param typed the keys of what was typed
 * @throws {TaskpipeError} `USAGE`, naming the kinds that it is for
 */
export function checkKinds(
  { kinds = [], kindsOf = {} }: Command,
  typed: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  const given = kinds.filter((kind) => values[kind] === true || typeof values[kind] === 'string');
  if (given.length !== 1) return; // which the command says
  for (const key of typed) {
    const heeding = kindsOf[key];
    if (heeding === undefined || heeding.some((kind) => given.includes(kind))) continue;
    throw new TaskpipeError(
      'USAGE',
      `${optionName(key)} is an option of ${heeding.map(optionName).join(' and ')}; it does nothing with ${given.map(optionName)}`,
    );
  }
}
