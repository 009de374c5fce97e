import { commands } from '../../commands/index.ts';
import { kebab } from '../../core/options/option.ts';
import { groupsOf, wordsOf } from '../args/help.ts';

/** Possible values of an option or operand. */
export type Candidates = 'file' | 'folder' | readonly string[] | undefined;

/** Option as a shell needs it. */
export interface CompletedOption {
  /** Names with dashes, the long one first. */
  readonly names: readonly string[];
  readonly words: string;
  /** Absent for a flag. */
  readonly placeholder: string | undefined;
  /** Undefined if any value is possible. */
  readonly candidates: Candidates;
  readonly isRepeatable: boolean;
}

/** Command as a shell needs it. */
export interface CompletedCommand {
  readonly name: string;
  readonly options: readonly CompletedOption[];
  /** Long names of the options of which exactly one must be given. */
  readonly kinds: readonly string[];
  readonly verbs: Readonly<Record<string, string>>;
  readonly takesFiles: boolean;
}

/** Returns all commands, from the declarations of their options. */
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
