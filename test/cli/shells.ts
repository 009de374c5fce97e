/* Completion as a user gets it: tests type keys into the real shell on its own terminal. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShellName } from '../../src/cli/args/parse-args.ts';
import { commands } from '../../src/commands/index.ts';
import { sh } from '../support/run.ts';

/**
 * Returns the words that a shell offers for the last word of each line.
 * @param cwd folder with the output of `--completion` in the file `script`
 */
export async function offered(shell: ShellName, lines: readonly string[], cwd: string): Promise<string[][]> {
  return (await shells[shell](lines, cwd)).map((words) => [...new Set(words)].sort());
}

/** Programs that each shell needs. */
export const NEEDS: Readonly<Record<ShellName, readonly string[]>> = {
  bash: ['bash', 'script'],
  zsh: ['zsh'],
  fish: ['fish'],
};

const shells: Readonly<
  Record<ShellName, (lines: readonly string[], cwd: string) => Promise<readonly (readonly string[])[]>>
> = {
  /*
   * ESC * inserts all offered words into the line. The line then runs: the commands are functions that write
   * their arguments to the file `told`.
   */
  async bash(lines, cwd) {
    const named = Object.keys(commands).map((name) => `${name}() { told "$@"; }`);
    const setUp = [
      `told() { printf '%s\\t' "$@"; printf '\\n'; } >> told`,
      ...named,
      '. ./script',
      "bind 'set disable-completion off'",
    ];
    writeFileSync(join(cwd, 'set-up'), `${setUp.join('\n')}\n`);
    const keys = lines.map((line) => `${line}\x1b*\n`).join('');
    const { stdout } = await sh('TERM=dumb script -qec "bash --noprofile --rcfile ./set-up -i" /dev/null', {
      cwd,
      input: `${keys}exit\n`,
    });
    const told = existsSync(join(cwd, 'told')) ? readFileSync(join(cwd, 'told'), 'utf8').split('\n') : [];
    if (told.length !== lines.length + 1) throw new Error(stdout);
    return lines.map((line, i) => {
      const typed = line.split(' ').slice(1, -1);
      const words = (told[i] as string).split('\t').slice(typed.length, -1);
      return words.filter((word) => word !== line.split(' ').at(-1));
    });
  },

  /*
   * compadd receives the offered words, so a function of that name writes them to a file. Each new line
   * reports when it is ready for keys.
   */
  async zsh(lines, cwd) {
    writeFileSync(
      join(cwd, 'set-up'),
      `PROMPT= n=0
autoload -Uz compinit; compinit -u -d ./dump; . ./script
bindkey '^I' complete-word
compadd() {
  local -a found; builtin compadd -A found "$@"
  (( $#found )) && print -rl -- "\${(@Q)found}" >> offered.$n
  builtin compadd "$@"
}
zle-line-init() { print -n "<ready $((++n))>" }
zle -N zle-line-init
`,
    );
    writeFileSync(
      join(cwd, 'type'),
      `zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z '. ./set-up'; n=0
zpty -r z _ "*<ready $((++n))>*"
for line; do
  zpty -w -n z "$line"$'\\t\\C-u\\n'
  zpty -r z _ "*<ready $((++n))>*"
done
zpty -d z
`,
    );
    await sh(`TERM=dumb zsh -f ./type ${lines.map(quote).join(' ')}`, { cwd });
    return lines.map((_, i) => {
      const file = join(cwd, `offered.${i + 1}`);
      return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
    });
  },

  async fish(lines, cwd) {
    const asked = lines.map((line) => `complete -C ${quote(line)}; echo ----`).join('\n');
    writeFileSync(join(cwd, 'queries'), `source ./script\n${asked}\n`);
    const { stdout } = await sh('fish --no-config ./queries', { cwd, env: { HOME: cwd } });
    const parts = stdout.split('----\n').slice(0, -1);
    return parts.map((part) =>
      part
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('\t')[0] as string),
    );
  },
};

function quote(text: string): string {
  return `'${text}'`;
}
