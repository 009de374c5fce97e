import { commands } from '../../commands/index.ts';
import { kebab } from '../../core/options/option.ts';
import { groupsOf, wordsOf } from '../args/help.ts';

/** What may stand where the value of an option, or an operand, is to come. */
export type Candidates = 'file' | 'folder' | readonly string[] | undefined;

/** An option as shells have to know it. */
export interface CompletedOption {
  /** With dashes: the long one first. */
  readonly names: readonly string[];
  readonly words: string;
  /** What stands for its value; absent for a flag. */
  readonly placeholder: string | undefined;
  /** What its value may be. Undefined: nobody can tell. */
  readonly candidates: Candidates;
  readonly isRepeatable: boolean;
}

/** A command as shells have to know it. */
export interface CompletedCommand {
  readonly name: string;
  readonly options: readonly CompletedOption[];
  /** The long names of options of which one is to be given. */
  readonly kinds: readonly string[];
  readonly verbs: Readonly<Record<string, string>>;
  readonly takesFiles: boolean;
}

/** All commands, of the one declaration of their options. */
export async function completedCommands(): Promise<readonly CompletedCommand[]> {
  return Promise.all(
    Object.values(commands).map(async (get) => {
      const command = await get();
      const options = groupsOf(command).flatMap((group) => Object.entries(group.options));
      return {
        name: command.name,
        options: options.map(([key, option]) => ({
          names: [kebab(key), ...(option.alias ?? [])].map((name) =>
            name.length === 1 ? `-${name}` : `--${name}`,
          ),
          words: wordsOf(option),
          placeholder: option.placeholder,
          candidates: option.choices ?? option.pathOf,
          isRepeatable: option.many === true,
        })),
        kinds: (command.kinds ?? []).map((key) => `--${kebab(key)}`),
        verbs: command.verbs ?? {},
        takesFiles: command.takesFiles === true,
      };
    }),
  );
}
