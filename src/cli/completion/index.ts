import type { Shell } from '../args/parse-args.ts';
import { bashCompletion } from './bash.ts';
import { type CompletedCommand, completedCommands } from './completion-table.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

const scripts: Readonly<Record<Shell, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** A script that completes all commands in a shell. It has all that it needs in it: no process is started at a TAB. */
export async function completionFor(shell: Shell): Promise<string> {
  return scripts[shell](await completedCommands());
}
