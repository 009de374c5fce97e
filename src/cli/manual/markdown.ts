import { commands } from '../../commands/index.ts';
import type { Command } from '../../core/options/command.ts';
import { kebab, type Option } from '../../core/options/option.ts';
import { type Group, groupsOf } from '../args/help.ts';
import { COMMON, variableOf } from '../args/parse-args.ts';

/** docs/options.md: every option of every command, and its variable. */
export async function optionsTable(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((get) => get()));
  const parts = all.map(
    (command) => `## ${command.name}\n\n${command.summary}\n${ownGroups(command).map(tableOf).join('')}`,
  );
  const common = `## All commands\n${tableOf({ heading: '', options: COMMON })}`;
  return `# Options

Every option, its default, and the variable that stands for it. An option on the command line beats the variable, which
beats the file of \`--config\`, where options stand by the same names without dashes, as in \`{"max-line": "1MB"}\`.

This page is written by \`npm run cases\`, from the declaration that help texts, man pages and completion come from too.

${[...parts, common].join('\n')}`;
}

function ownGroups(command: Command): readonly Group[] {
  return groupsOf(command).filter(({ options }) => options !== COMMON);
}

function tableOf({ heading, options }: Group): string {
  const rows = Object.entries(options).map(
    ([key, option]) => `| ${cellsOf(key, option).map(escaped).join(' | ')} |\n`,
  );
  const title = heading === '' || heading === 'Options:' ? '' : `\n**${heading.replace(/:$/, '')}**\n`;
  return `${title}\n| option | what it does | default | variable |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function cellsOf(key: string, option: Option<unknown>): readonly string[] {
  const { alias = [], placeholder, words, shown = '' } = option;
  const names = [kebab(key), ...alias].map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
  const [first = '', ...others] = names;
  const typed = [placeholder === undefined ? first : `${first} ${placeholder}`, ...others];
  return [typed.map((one) => `\`${one}\``).join(', '), words, shown, `\`${variableOf(key, option)}\``];
}

/** A bar would end the cell, and what looks like a tag would be one. */
function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replace(/<(?=\w)/g, '&lt;');
}
