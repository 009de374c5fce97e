/*
 * Shell completion: scripts for bash, zsh and fish, made from the declarations of the commands. Owns the syntax of each
 * shell. Must not know what an option does.
 */
import type { ShellName } from '../args/parse-args.ts';
import { bashCompletion } from './bash.ts';
import { type CompletedCommand, completedCommands } from './completion-table.ts';
import { fishCompletion } from './fish.ts';
import { zshCompletion } from './zsh.ts';

const scripts: Readonly<Record<ShellName, (commands: readonly CompletedCommand[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** Returns a script that completes all commands. It contains all options, so that TAB starts no process. */
export async function completionFor(shell: ShellName): Promise<string> {
  return scripts[shell](await completedCommands());
}
